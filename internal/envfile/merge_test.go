package envfile

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	for _, c := range []struct{ name, base, ours, theirs, want string }{
		{"value of theirs, line of ours", "A=1\nB=2\n", "A='1' # mine\nB=3\n", "A=9\nB=2\n", "A=9 # mine\nB=3\n"},
		{"header and explanations follow", "# v1\n\n# old\nA=1\n#B=\n", "# v1\n\n# old\nA=5\n#B=\n", "# v2\n\n# new\nA=1\nB={}\n", "# v2\n\n# new\nA=5\nB={}\n"},
		{"comments of the user stay", "# v1\nA=1\n", "# v1\n# why 5\nA=5\n", "# v2\nA=1\n", "# v2\n# why 5\nA=5\n"},
		{"added after its neighbour", "A=1\nZ=1\n", "A=1\nMINE=x\nZ=1\n", "A=1\n# about B\nB=2\nZ=1\n", "A=1\n# about B\nB=2\nMINE=x\nZ=1\n"},
		{"added, and neighbour gone", "A=1\nB=1\n", "B=7\n", "A=1\nN=2\nB=1\n", "N=2\nB=7\n"},
		{"removed with its comment", "A=1\n\n# about B\nB=2\n\n# about C\nC=3\n", "A=9\n\n# about B\nB=2\n\n# about C\nC=3\n", "A=1\n\n# about C\nC=3\n", "A=9\n\n# about C\nC=3\n"},
		{"order of the user", "A=1\nB=2\nC=3\n", "C=3\nA=1\nB=2\n", "A=9\nB=2\nC=8\nD=4\n", "C=8\nA=9\nB=2\nD=4\n"},
		{"moved by theirs", "A=1\nB=2\nC=3\n", "A='1' # a\nB=2\nC=5\n", "B=2\nC=3\nA=1\n", "B=2\nC=5\nA='1' # a\n"},
		{"both the same", "A=1\n", "A=2\nX=1\n", "A='2'\n", "A=2\nX=1\n"},
		{"removed by the user", "A=1\nB=2\n", "B=2\n", "A=1\nB=3\n", "B=3\n"},
		{"removed by both", "A=1\nB=2\n", "B=2 # x\n", "B=2\nC=1\n", "B=2 # x\nC=1\n"},
		{"the last of several counts", "A=1\n", "A=0\nA=1\n", "A=2\n", "A=0\nA=2\n"},
		{"several lines", "A='1\n2'\nB=1\n", "A='1\n2'\nB=5\n", "A='1\n3'\nB=1\n", "A='1\n3'\nB=5\n"},
		{"shared line", "A=1\nB=2\n", "A='1' B='2'\n", "A=1\nB=3\n", "A='1' B=3\n"},
		{"line ends of ours", "A=1\nB=2\n", bom + "A=5\r\nB=2\r\n", "# c\nA=1\nB=3\n", bom + "# c\r\nA=5\r\nB=3\r\n"},
		{"references follow", "A=1\nB=1\n", "A=1\nB=\"x${A}\"\n", "A=2\nB=1\n", "A=2\nB=\"x${A}\"\n"},
		{"no last line end", "A=1", "A=5", "A=1\nB=2", "A=5\nB=2\n"},
		{"uncommented by the user", "# T\n#T=1\nA=1\n", "# T\nT=5\nA=1\n", "# T\n#T=1\nA=2\n", "# T\nT=5\nA=2\n"},
		{"no choice beside the user's", "#T=1\nA=1\n", "T=5\nA=1\n", "#T=2\n#U=1\nA=2\n", "#U=1\nT=5\nA=2\n"},
		{"from nothing", "", "A=1\n", "B=2\n", "B=2\nA=1\n"},
	} {
		got, err := Merge(c.base, c.ours, c.theirs, nil)
		if err != nil || len(got.Conflicts) > 0 || got.Text != c.want {
			t.Errorf("%s: %v %v\n got %q\nwant %q", c.name, err, got.Conflicts, got.Text, c.want)
		}
	}
}

func TestMergeConflicts(t *testing.T) {
	for _, c := range []struct {
		name, base, ours, theirs string
		conflict                 Conflict
		keep, take               string // the text where ours is preferred, and theirs
	}{
		{"both changed", "A=1\n", "A=2 # x\n", "A=3\n", Conflict{"A", "1", "2", "3", true, true}, "A=2 # x\n", "A=3 # x\n"},
		{"theirs dropped", "A=1\nB=1\n", "A=2\nB=1\n", "B=1\n", Conflict{"A", "1", "2", "", true, false}, "B=1\nA=2\n", "B=1\n"},
		{"ours dropped", "A=1\nB=1\n", "B=1\n", "A=2\nB=1\n", Conflict{"A", "1", "", "2", false, true}, "B=1\n", "A=2\nB=1\n"},
		{"both added", "B=1\n", "A=1\nB=1\n", "A=2\nB=1\n", Conflict{"A", "", "1", "2", true, true}, "A=1\nB=1\n", "A=2\nB=1\n"},
	} {
		got, err := Merge(c.base, c.ours, c.theirs, nil)
		if err != nil || !slices.Equal(got.Conflicts, []Conflict{c.conflict}) || parse(t, got.Text).values["A"] != c.conflict.Ours {
			t.Errorf("%s: %v %+v %q", c.name, err, got.Conflicts, got.Text)
		}
		for side, want := range map[Side]string{Ours: c.keep, Theirs: c.take} {
			got, err := Merge(c.base, c.ours, c.theirs, map[string]Side{"A": side})
			if err != nil || len(got.Conflicts) > 0 || !maps.Equal(parse(t, got.Text).Map(), parse(t, want).Map()) {
				t.Errorf("%s, side %d: %v %v %q, want %q", c.name, side, err, got.Conflicts, got.Text, want)
			}
		}
	}
}

func TestMergeErrorsNameTheFile(t *testing.T) {
	for i, want := range []string{"last written", "your changes", "new file"} {
		texts := []string{"A=1", "A=1", "A=1"}
		texts[i] = "A='s3cret"
		_, err := Merge(texts[0], texts[1], texts[2], nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}

// FuzzMerge checks that a side without changes gives the other one, and that every key gets the value of its side.
func FuzzMerge(f *testing.F) {
	f.Add("A=1\nB=2\n", "A=1\nC='x y'\n", "B=3\n# c\nA=1\n")
	f.Add(sample, "A=last\nE=1\n", "C: 'three\nfour'\n")
	f.Add("A='1' B=2 # c\n\"", "A\nA=2\n", "export A=\"\n\"\r\n")
	f.Fuzz(func(t *testing.T, base, ours, theirs string) {
		if got, err := Merge(base, ours, base, nil); err == nil && (got.Text != ours || len(got.Conflicts) > 0) {
			t.Fatalf("theirs is base, got %q", got.Text)
		}
		if got, err := Merge(base, base, theirs, nil); err == nil && !maps.Equal(parse(t, got.Text).Map(), parse(t, theirs).Map()) {
			t.Fatalf("ours is base, got %q", got.Text)
		}
		if strings.Contains(base+ours+theirs, "$") { // references follow what they refer to
			return
		}
		got, err := Merge(base, ours, theirs, nil)
		if err != nil {
			return
		}
		result := parse(t, got.Text)
		if result.String() != base && result.String() != ours && result.String() != theirs { // FuzzParse compares files as given
			compare(t, result)
		}
		checkMerged(t, parse(t, base), parse(t, ours), parse(t, theirs), result)
	})
}

func checkMerged(t *testing.T, base, ours, theirs, result *File) {
	t.Helper()
	for _, key := range slices.Concat(base.Keys(), ours.Keys(), theirs.Keys(), result.Keys()) {
		if key == "" { // what the parser makes of a line without a name; no container gets it
			continue
		}
		was, had := base.Get(key)
		want, wanted := ours.Get(key)
		if want == was && wanted == had {
			want, wanted = theirs.Get(key)
		}
		if got, has := result.Get(key); got != want || has != wanted {
			t.Fatalf("%q is %q, %v, want %q, %v in %q", key, got, has, want, wanted, result.String())
		}
	}
}
