package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// varying is what differs between two runs of the same scenario.
var varying = []struct {
	pattern *regexp.Regexp
	shown   string
}{
	{regexp.MustCompile(`\b\d{8}T\d{6}(\.\d+)?Z\b`), "TIMESTAMP"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`), "TIMESTAMP"},
	{regexp.MustCompile(`\b(sha256:)?[0-9a-f]{12,64}\b`), "ID"},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(s|ms|µs|m\d+s)\b`), "TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (B|kB|MB|GB|KiB|MiB|GiB)\b`), "SIZE"},
	{regexp.MustCompile(`\b\d+ bytes with another checksum than the manifest's \d+`), "SIZE with another checksum than the manifest's SIZE"},
	{regexp.MustCompile(`\b127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`\b172\.\d+\.\d+\.\d+`), "ADDRESS"},
	{regexp.MustCompile(`"base/\d+/\d+"( with FileFallocate\(\))?`), `"base/FILE"`}, // by how much is written at once
	{regexp.MustCompile(`\b(process|pid) \d+`), "$1 PID"},
	{regexp.MustCompile(`keeps restarting: its program ended with code \d+`), "keeps restarting"}, // unless it runs at the moment
	{regexp.MustCompile(`(Get "[^"]+"): [^;\n]+`), "$1: REASON"},                                  // the engine's proxy answers, or none
}

// lastLines are those of a container whose words differ from run to run.
var lastLines = regexp.MustCompile(`its last lines:\n(    .*\n)+`)

// transcript compares what the user has read with a golden file; UPDATE=1 writes it. Names of the test are replaced.
func (s *stack) transcript(name string, r result, replaced ...string) {
	s.t.Helper()
	text := r.said()
	for i := 0; i+1 < len(replaced); i += 2 {
		text = strings.ReplaceAll(text, replaced[i], replaced[i+1])
	}
	text = strings.ReplaceAll(text, s.dir, "/srv/syncmaster")
	text = strings.ReplaceAll(text, s.project, "syncmaster")
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.shown)
	}
	text = strings.Join(slices.Compact(strings.Split(text, "\n")), "\n") // a program that restarts repeats itself
	golden(s.t, filepath.Join("testdata", "transcripts", name+".golden"), fmt.Sprintf("%s\nexit code %d\n", strings.TrimRight(text, "\n"), r.code))
}

// golden compares a text with a file.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		write(t, path, text)
		return
	}
	if want := read(t, path); want != text {
		t.Errorf("%s says\n%s\nand now it is\n%s", path, want, text)
	}
}
