package checkout_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"syncmaster-setup/internal/checkout"
)

const folder = "syncmaster/db/migrations/versions/"

func TestRead(t *testing.T) {
	first := "\"\"\"first\n\nRevision ID: 0001\n\"\"\"\n\nfrom alembic import op\n\nrevision = \"0001\"\ndown_revision = None\nbranch_labels = None\n"
	for _, tc := range []struct {
		name          string
		files         map[string]string
		version, head string
		err           string
	}{
		{"as in 0.3", map[string]string{"syncmaster/VERSION": "0.3.2\n", folder + "a_0001.py": first,
			folder + "b_0002.py": "revision = \"0002\"\ndown_revision = \"0001\"\n", folder + "__init__.py": ""}, "0.3.2", "0002", ""},
		{"as in 0.2", map[string]string{"syncmaster/__init__.py": "# x\n_raw_version = \"0.2.5\"\n__version__ = 1\n", folder + "a.py": first}, "0.2.5", "0001", ""},
		{"typed, as in Alembic's newer template", map[string]string{folder + "a.py": first,
			folder + "b.py": "revision: str = 'ab12'\ndown_revision: Union[str, None] = '0001'\n"}, "", "ab12", ""},
		{"a version between two releases", map[string]string{"syncmaster/VERSION": "0.3.3.dev7", folder + "a.py": first}, "0.3.3", "0001", ""},
		{"two heads", map[string]string{folder + "a.py": first, folder + "b.py": "revision = '2'\ndown_revision = '0001'\n",
			folder + "c.py": "revision = '3'\ndown_revision = '0001'\n"}, "", "", "2 heads: 2, 3"},
		{"a merge", map[string]string{folder + "a.py": first, folder + "b.py": "revision = '2'\ndown_revision = '0001'\n",
			folder + "c.py": "revision = '3'\ndown_revision = '0001'\n", folder + "d.py": "revision = '4'\ndown_revision = (\n    '2',\n    '3',\n)\n"}, "", "4", ""},
		{"another folder", map[string]string{"README.md": "x"}, "", "", "is it a checkout of SyncMaster?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := fstest.MapFS{}
			for name, text := range tc.files {
				files[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := checkout.Read(files)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || got != (checkout.Checkout{Version: tc.version, Head: tc.head}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
