package envfile

import (
	"maps"
	"testing"
)

func TestRename(t *testing.T) {
	for before, after := range map[string]string{
		"# a\nexport A='1' # one\nB=2\n": "# a\nexport N='1' # one\nB=2\n",
		"A: 1\nA=2":                      "N: 1\nN=2",
		"A\nB=1\n":                       "N\nB=1\n",
		"B=1\n":                          "B=1\n",
	} {
		f := parse(t, before)
		if found, err := f.Rename("A", "N"); err != nil || f.String() != after || found != (before != after) {
			t.Errorf("%q: %v %q", before, err, f.String())
		}
	}
	f := parse(t, "A=1\n")
	if _, err := f.Rename("A", "N N"); err == nil || f.String() != "A=1\n" {
		t.Errorf("%v %q", err, f.String())
	}
	if found, err := f.Rename("A", "A"); found || err != nil {
		t.Errorf("%v %v", found, err)
	}
}

func TestRewrite(t *testing.T) {
	f := parse(t, "# about A\nA=\"1\" # one\nGONE=1\nB=\"2\"\n")
	values := map[string]string{"N": "1", "B": "3", "NEW": `["x"]`}
	if err := f.Rewrite(values, map[string]string{"A": "N"}); err != nil || !maps.Equal(f.Map(), values) {
		t.Errorf("%v %q", err, f.Map())
	}
	if want := "# about A\nN=\"1\" # one\nB=3\nNEW='[\"x\"]'\n"; f.String() != want {
		t.Errorf("got %q, want %q", f.String(), want)
	}
	if err := f.Rewrite(map[string]string{"A B": "1"}, nil); err == nil {
		t.Error("a name with a blank was taken")
	}
}
