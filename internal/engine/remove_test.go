package engine_test

import (
	"slices"
	"testing"

	"syncmaster-setup/internal/fault"
)

// TestRemoveProject takes a project of one folder away, in two steps, and nothing of another folder.
func TestRemoveProject(t *testing.T) {
	t.Parallel()
	e, p := running(t, twoServices)
	before := ids(t, e, p.Name)

	if _, err := e.RemoveProject(t.Context(), p.Name, t.TempDir(), true); fault.CodeOf(err) != fault.Refused {
		t.Errorf("the project of another folder: %v", err)
	}
	if after := ids(t, e, p.Name); len(after) != 2 || after["db"] != before["db"] {
		t.Errorf("a refusal has left %v of %v", after, before)
	}

	removed, err := e.RemoveProject(t.Context(), p.Name, p.WorkingDir, false)
	must(t, err)
	if len(removed) != 3 || !slices.Contains(removed, p.Name+"-db-1") || !slices.Contains(removed, p.Name+"_default") {
		t.Errorf("removed %v, want two containers and a network", removed)
	}
	seen, err := e.Observe(t.Context(), p.Name, nil)
	must(t, err)
	if len(seen.Containers)+len(seen.Networks) != 0 || len(seen.Volumes) != 1 {
		t.Errorf("left are %+v, want the volume only", seen)
	}

	removed, err = e.RemoveProject(t.Context(), p.Name, p.WorkingDir, true)
	must(t, err)
	if len(removed) != 1 || removed[0] != seen.Volumes[0].Name {
		t.Errorf("removed %v, want the volume %s", removed, seen.Volumes[0].Name)
	}
	if removed, err = e.RemoveProject(t.Context(), p.Name, p.WorkingDir, true); err != nil || len(removed) != 0 {
		t.Errorf("removed %v of nothing, %v", removed, err)
	}
}
