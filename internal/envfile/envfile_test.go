package envfile

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

const sample = bom + `# head
A=one # first
export B = "two ${A}"   # second

  C: 'three
lines # no comment'
D
E="x" F='y'G=z
EMPTY=
A=last
`

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return f
}

func TestParse(t *testing.T) {
	f := parse(t, sample)
	want := map[string]string{"A": "last", "B": "two one", "C": "three\nlines # no comment", "E": "x", "F": "y", "G": "z", "EMPTY": ""}
	if got := f.Map(); !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := strings.Join(f.Keys(), " "); got != "A B C E F G EMPTY" {
		t.Error(got)
	}
	if f.String() != sample {
		t.Error("text changed")
	}
	if _, ok := f.Get("D"); ok {
		t.Error("D has a value")
	}
}

func TestParseErrorsNameTheLineAndNoValue(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nB='s3cret":        "line 2: the value of B has no closing quote",
		"\nA B=s3cret":          "line 2: the name of a variable contains a blank",
		"A=1\n\n$s3cret=x":      `line 3: the name of a variable contains '$'`,
		"A='\n\n'\nB=s3cret${!": "line 4: the value of B refers to a variable",
		"B=${X:?s3cret}":        "line 1: the value of B refers to a variable",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct{ name, before, key, value, after string }{
		{"in place", "# c\nA=1 # one\nB=2\n", "A", "9", "# c\nA=9 # one\nB=2\n"},
		{"empty before a comment", "A=1 # one\n", "A", "", "A='' # one\n"},
		{"quotes before a glued comment", "A='1'#one\n", "A", "2", "A='2'#one\n"},
		{"appended", "A=1", "B", "x y", "A=1\nB='x y'\n"},
		{"appended to nothing", "", "B", "1", "B=1\n"},
		{"appended to a mark", bom, "B", "1", bom + "B=1\n"},
		{"line ends kept", "A=1\r\nB=2\r\n", "A", "3", "A=3\r\nB=2\r\n"},
		{"line ends continued", "A=1\r\n", "B", "2", "A=1\r\nB=2\r\n"},
		{"last of several", "A=1\nA=2\n", "A", "3", "A=1\nA=3\n"},
		{"from the environment", "A\nB=1\n", "A", "3", "A=3\nB=1\n"},
		{"from the environment at the end", "A", "A", "3", "A=3"},
		{"YAML style", "A: 1\n", "A", "2", "A: 2\n"},
		{"exported, several lines", "export A='1\n2' # c\nB=1", "A", "3\n4'", "export A=\"3\n4'\" # c\nB=1"},
		{"same value, other form", `A="1"`, "A", "1", `A="1"`},
		{"shared line", `A="x" B='y'C=z`, "B", "1", `A="x" B='1'C=z`},
	} {
		f := parse(t, c.before)
		if err := f.Set(c.key, c.value); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, _ := f.Get(c.key); f.String() != c.after || got != c.value {
			t.Errorf("%s:\n got %q (%q)\nwant %q", c.name, f.String(), got, c.after)
		}
	}
	f := parse(t, "A=1\n")
	for _, bad := range [][2]string{{"A B", "x"}, {"", "x"}, {"1A", "x"}, {"A=", "x"}, {"A", "\x00"}, {"B", "\xff"}} {
		if err := f.Set(bad[0], bad[1]); err == nil || f.String() != "A=1\n" {
			t.Errorf("Set(%q): %v, %q", bad, err, f.String())
		}
	}
}

func TestSetAfter(t *testing.T) {
	for before, after := range map[string]string{
		"A=1 # c\nB=2\n":        "A=1 # c\nN=1\nB=2\n",
		"A='1\n2'\nB=2\n":       "A='1\n2'\nN=1\nB=2\n",
		"A='1' B='2\n3'\nC=4\n": "A='1' B='2\n3'\nN=1\nC=4\n",
		"A=1":                   "A=1\nN=1\n",
		"B=1\n":                 "B=1\nN=1\n",
	} {
		f := parse(t, before)
		if err := f.SetAfter("N", "1", "A"); err != nil || f.String() != after {
			t.Errorf("%q: %v %q", before, err, f.String())
		}
	}
}

func TestUnsetAndComment(t *testing.T) {
	for _, c := range []struct{ before, unset, comment string }{
		{"A=1\n# c\nB=2 # two\nC=3\n", "A=1\n# c\nC=3\n", "A=1\n# c\n# B=2 # two\nC=3\n"},
		{"B=1\nA=1\nB='2\n3'\n", "A=1\n", "# B=1\nA=1\n# B='2\n# 3'\n"},
		{"B=1", "", "# B=1"},
		{bom + "B=1\nA=1", bom + "A=1", bom + "# B=1\nA=1"},
		{"A='x' B='y' C=z\n", "A='x'  C=z\n", "# B='y'\nA='x'  C=z\n"},
		{"A='x\ny' B='y' # c\n", "A='x\ny'  # c\n", "# B='y'\nA='x\ny'  # c\n"},
		{"B\nA=1\n", "A=1\n", "# B\nA=1\n"},
		{"A=1\n", "A=1\n", "A=1\n"},
	} {
		f := parse(t, c.before)
		if found, err := f.Unset("B"); err != nil || f.String() != c.unset || found != (c.unset != c.before) {
			t.Errorf("Unset in %q: %v %q", c.before, err, f.String())
		}
		f = parse(t, c.before)
		if found, err := f.Comment("B"); err != nil || f.String() != c.comment || found != (c.comment != c.before) {
			t.Errorf("Comment in %q: %v %q", c.before, err, f.String())
		}
	}
}

// TestSetChangesNoOtherKey edits files made of random values many times.
func TestSetChangesNoOtherKey(t *testing.T) {
	values := randomValues(2_000)
	random := rand.New(rand.NewPCG(5, 6))
	keys := []string{"A", "B", "C", "D_1", "E"}
	f, want := parse(t, "# start\nA=1 # one\n\nB=\"2\"\n"), map[string]string{"A": "1", "B": "2"}
	for _, value := range values {
		key := keys[random.IntN(len(keys))]
		switch random.IntN(10) {
		case 0:
			if _, err := f.Unset(key); err != nil {
				t.Fatal(err)
			}
			delete(want, key)
		case 1:
			if _, err := f.Comment(key); err != nil {
				t.Fatal(err)
			}
			delete(want, key)
		default:
			if err := f.SetAfter(key, value, keys[random.IntN(len(keys))]); err != nil {
				t.Fatal(err)
			}
			want[key] = value
		}
		if !maps.Equal(f.Map(), want) {
			t.Fatalf("after %s=%q:\n got %q\nwant %q", key, value, f.Map(), want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample, "A", "x")
	f.Add("A='1' B=2 # c\n\"", "B", "y z")
	f.Add("A", "A", "#")
	f.Add("export \nA=1\r\nB = \\\"", "B", "'")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(file.String()); err != nil || !maps.Equal(again.Map(), file.Map()) || file.String() != text {
			t.Fatalf("not stable: %v", err)
		}
		compare(t, file)
		before := file.Map()
		refers := strings.Contains(text, "$")
		if err := file.Set(key, value); err != nil {
			if !maps.Equal(file.Map(), before) {
				t.Fatal("changed by a refused Set")
			}
			return
		}
		checkOnly(t, file, before, key, value, refers)
		if _, err := file.Unset(key); err == nil && slices.Contains(file.Keys(), key) {
			t.Fatalf("%s is still there", key)
		}
	})
}

// compare checks the values against those that compose-go reads from the whole text.
func compare(t *testing.T, file *File) {
	t.Helper()
	if strings.Contains(file.String(), "$") { // the parser would log each unset variable
		return
	}
	want, err := dotenv.Parse(strings.NewReader(file.String()))
	delete(want, "") // a last line without line end or value
	got := file.Map()
	delete(got, "")
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("%q\n got %q\nwant %q, %v", file.String(), got, want, err)
	}
}

func checkOnly(t *testing.T, file *File, before map[string]string, key, value string, refers bool) {
	t.Helper()
	if got, ok := file.Get(key); !ok || got != value {
		t.Fatalf("%s=%q is %q in %q", key, value, got, file.String())
	}
	for k, v := range before {
		if got, ok := file.Get(k); k != key && !refers && (!ok || got != v) {
			t.Fatalf("%s changed from %q to %q in %q", k, v, got, file.String())
		}
	}
}
