package workdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	logsFolder = "logs"
	logTime    = "20060102T150405.000Z" // names sort by it
)

// Log is the log of one run.
type Log struct {
	Path        string
	First, Last string // lines
}

// CreateLog makes the log of a run that begins now, readable by the owner only. Each write goes to the file at once.
func (d Dir) CreateLog(now time.Time, operation string) (*os.File, error) {
	folder := d.File(filepath.Join(StateDir, logsFolder))
	if err := makeFolder(folder); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, now.UTC().Format(logTime)+"-"+strings.ReplaceAll(operation, " ", "-")+".log")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, secretMode)
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	if err := file.Chmod(secretMode); err != nil { // a umask may have taken what the owner needs
		return nil, errors.Join(fmt.Errorf("setting the mode of the log: %w", err), file.Close())
	}
	return file, nil
}

// KeepOutput keeps what the container of a service has said beside the logs, and returns the file.
func (d Dir) KeepOutput(now time.Time, service, text string) (string, error) {
	folder := d.File(filepath.Join(StateDir, logsFolder))
	if err := makeFolder(folder); err != nil {
		return "", err
	}
	path := filepath.Join(folder, now.UTC().Format(logTime)+"-"+service+".txt")
	return path, writeFile(path, []byte(text), secretMode)
}

// Runs returns the names, relative to the install folder, of the newest n files that runs have left: their logs and what
// containers had said that are gone, the oldest first.
func (d Dir) Runs(n int) ([]string, error) {
	entries, err := os.ReadDir(d.File(filepath.Join(StateDir, logsFolder)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the logs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.Type().IsRegular() && (ext == ".log" || ext == ".txt") {
			names = append(names, filepath.Join(StateDir, logsFolder, e.Name()))
		}
	}
	return names[max(len(names)-n, 0):], nil
}

// Logs returns the logs of all runs, the oldest first.
func (d Dir) Logs() ([]Log, error) {
	folder := d.File(filepath.Join(StateDir, logsFolder))
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the logs: %w", err)
	}
	var logs []Log
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".log" {
			continue
		}
		path := filepath.Join(folder, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the log: %w", err)
		}
		lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		logs = append(logs, Log{Path: path, First: string(lines[0]), Last: string(lines[len(lines)-1])})
	}
	return logs, nil
}
