package setup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// bundleLogLines of each container are put into a bundle.
	bundleLogLines = 500
	// wholeLog is the length from which the engine's adapter may have cut a log in the middle of a line.
	wholeLog = 64 << 10
)

// bundleFile is one file of a bundle.
type bundleFile struct{ name, text string }

// Bundle writes an archive for support, tar.gz, to w: versions, status, checkup, the install's files, the last plan, the
// logs of the last runs and the last lines of its containers, all of them without secrets. program names the version of
// this program.
func (s *Setup) Bundle(ctx context.Context, w io.Writer, program string) (Checkup, error) {
	v, err := s.see(ctx, true)
	if err != nil {
		return Checkup{}, err
	}
	v.recallGenerations()
	checkup, status := v.checkup(), v.status()
	var files []bundleFile
	for _, part := range []struct {
		name  string
		value any
	}{{"status.json", status}, {"doctor.json", checkup}} {
		text, err := json.MarshalIndent(part.value, "", "  ")
		if err != nil {
			return checkup, fmt.Errorf("encoding %s: %w", part.name, err)
		}
		files = append(files, bundleFile{part.name, string(text) + "\n"})
	}
	files = append(files, bundleFile{"versions.txt", v.versions(program)})
	files = append(files, v.bundledFiles()...)
	files = append(files, v.bundledRuns()...)
	files = append(files, v.bundledLogs(ctx)...)
	if err := ctx.Err(); err != nil {
		return checkup, err
	}
	return checkup, v.pack(w, files)
}

func (v *sight) versions(program string) string {
	return fmt.Sprintf("syncmaster-setup %s\nSyncMaster %s, generation %d\nDocker Engine %s, %s/%s\nRabbitMQ %s\ndatabase revision %s\n",
		program, v.release, v.state.Generation, v.host.Version, v.host.OS, v.host.Arch, v.broker.seen.Version, v.database.facts.Revision)
}

// bundledLogs are the last lines of each container.
func (v *sight) bundledLogs(ctx context.Context) []bundleFile {
	var files []bundleFile
	for _, c := range v.observed.Containers {
		if v.engine == nil {
			break
		}
		logs, err := ask(ctx, func(ctx context.Context) (string, error) { return v.engine.Logs(ctx, c.ID, bundleLogLines) })
		if err != nil {
			logs = "not readable: " + err.Error() + "\n"
		}
		if _, rest, more := strings.Cut(logs, "\n"); more && len(logs) >= wholeLog {
			logs = rest // half a line may hold half a secret, which nothing recognizes
		}
		files = append(files, bundleFile{"logs/" + c.Name + ".log", v.scrub(logs)})
	}
	return files
}

// pack writes the archive.
func (v *sight) pack(w io.Writer, files []bundleFile) (err error) {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	defer func() {
		if err = errors.Join(err, archive.Close(), zipped.Close()); err != nil {
			err = fmt.Errorf("writing the archive: %w", err)
		}
	}()
	for _, f := range files {
		header := &tar.Header{Name: "syncmaster-bundle/" + f.name, Mode: 0o600, Size: int64(len(f.text)), ModTime: v.at.Truncate(time.Second)}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.WriteString(archive, f.text); err != nil {
			return err
		}
	}
	return nil
}
