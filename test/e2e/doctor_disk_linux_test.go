package e2e_test

import "testing"

// TestDoctorLooksAtTheDiskOfTheData fills the disk that the database has alone, while the engine's has room. An install
// of which nothing but the database runs yet is enough for that.
func TestDoctorLooksAtTheDiskOfTheData(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	disk := s.volumeOnDisk(5 << 28) // a quarter more than what a database needs
	finish(t, program(append([]string{"render"}, s.args("--profile", "server")[1:]...)...)).is(t, 0)
	s.compose("up", "--detach", "--wait", "db").is(t, 0)
	before := s.doctor()["disk"]
	disk.fill(t, 64<<20)
	f := s.found("disk", "fail", " are needed for the data of db")
	if before.Level == "fail" || f.Text == before.Text {
		t.Errorf("before: %+v\nfull: %+v", before, f)
	}
	disk.free(t)
	s.found("disk", before.Level, "")
}
