package engine_test

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
)

func TestLoadReadsTheFolderAsComposeDoes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "docker-compose.yml"), `
services:
  server: {image: "server:${VERSION}", env_file: [.env.docker], build: .}
  worker: {image: worker, profiles: [worker]}
  extra: {image: "extra:${SMENG_SHELL_ONLY}", profiles: [extra]}
`)
	write(t, filepath.Join(dir, "docker-compose.override.yml"), "services: {server: {environment: {A: override}}}\n")
	write(t, filepath.Join(dir, ".env"), "COMPOSE_PROJECT_NAME=fromenv\nCOMPOSE_PROFILES=worker\nVERSION=0.3.2\n")
	write(t, filepath.Join(dir, ".env.docker"), "A=file\nB='with $dollar'\n")
	t.Setenv("VERSION", "9.9.9")
	t.Setenv("SMENG_SHELL_ONLY", "shell")
	t.Setenv("COMPOSE_PROFILES", "extra")
	t.Setenv("COMPOSE_FILE", "/absent.yml")
	t.Setenv("COMPOSE_PROJECT_NAME", "fromshell")

	p, err := engine.Load(t.Context(), dir, "", nil)
	must(t, err)
	server := p.Services["server"]
	if p.Name != "fromenv" || !slices.Equal(p.ServiceNames(), []string{"server", "worker"}) {
		t.Errorf("project %s with %v", p.Name, p.ServiceNames())
	}
	if server.Image != "server:0.3.2" {
		t.Errorf("image %s: .env must win over the process environment", server.Image)
	}
	if server.Build != nil || len(server.EnvFiles) != 0 {
		t.Errorf("build %v and env_file %v must be gone", server.Build, server.EnvFiles)
	}
	for name, want := range map[string]string{"A": "override", "B": "with $dollar"} {
		if got := server.Environment[name]; got == nil || *got != want {
			t.Errorf("environment %s is %v, want %s", name, got, want)
		}
	}
	if extra := p.DisabledServices["extra"]; extra.Image != "extra:shell" {
		t.Errorf("disabled service %+v", extra)
	}
	named, err := engine.Load(t.Context(), dir, "other", []string{"extra"})
	must(t, err)
	if named.Name != "other" || !slices.Equal(named.ServiceNames(), []string{"extra", "server"}) {
		t.Errorf("project %s with %v", named.Name, named.ServiceNames())
	}
}

func TestLoadAheadReadsWhatWillBeInPlace(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, ".state", "0002")
	must(t, os.MkdirAll(folder, 0o700))
	files := map[string]string{
		"docker-compose.yml": "services:\n  server: {image: \"server:${VERSION}\", env_file: .env.docker}\n  db: {image: db}\n",
		".env":               "COMPOSE_PROJECT_NAME=ahead\nVERSION=0.3.2\n",
		".env.docker":        "A=new\n",
	}
	write(t, filepath.Join(dir, "docker-compose.yml"), "services: {server: {image: old, env_file: .env.docker}}\n")
	write(t, filepath.Join(dir, ".env"), "COMPOSE_PROJECT_NAME=ahead\nVERSION=0.2.5\n")
	write(t, filepath.Join(dir, ".env.docker"), "A=old\n")
	write(t, filepath.Join(dir, "own.env"), "B=mine\n")
	write(t, filepath.Join(dir, "docker-compose.override.yml"), "services: {server: {env_file: own.env, volumes: ['./data:/data']}}\n")
	for name, text := range files {
		write(t, filepath.Join(folder, name), text)
	}
	ahead, err := engine.LoadAhead(t.Context(), dir, folder, nil)
	must(t, err)
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	placed, err := engine.Load(t.Context(), dir, "", nil)
	must(t, err)
	if ahead.Services["server"].Image != "server:0.3.2" {
		t.Errorf("the server's image is %s", ahead.Services["server"].Image)
	}
	if !reflect.DeepEqual(ahead, placed) {
		t.Errorf("ahead:\n%+v\nin place:\n%+v", ahead, placed)
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := map[string]map[string]string{
		"no compose file":    {},
		"broken YAML":        {"docker-compose.yml": "services: [\n"},
		"unknown key":        {"docker-compose.yml": "services: {a: {image: x, imagee: y}}\n"},
		"broken override":    {"docker-compose.yml": "services: {a: {image: x}}\n", "docker-compose.override.yml": "services: 7\n"},
		"missing env_file":   {"docker-compose.yml": "services: {a: {image: x, env_file: [absent]}}\n"},
		"bad project name":   {"docker-compose.yml": "services: {a: {image: x}}\n", ".env": "COMPOSE_PROJECT_NAME=No Good\n"},
		"unreadable .env":    {"docker-compose.yml": "services: {a: {image: x}}\n", ".env": "A='open\n"},
		"unknown dependency": {"docker-compose.yml": "services: {a: {image: x, depends_on: [b]}}\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				write(t, filepath.Join(dir, file), content)
			}
			_, err := engine.Load(t.Context(), dir, "", nil)
			if fault.CodeOf(err) != fault.BadInput || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v with code %d, want bad input that names the folder", err, fault.CodeOf(err))
			}
		})
	}
}

func TestLoadQuotesNoEnvFile(t *testing.T) {
	for _, line := range []string{"PASSWORD='planted\n", "PASSWORD=\"planted\n", "planted+PASSWORD=x\n", "planted word=x\n", "planted\x00=x\n"} {
		for _, file := range []string{".env", ".env.docker"} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "docker-compose.yml"), "services: {a: {image: x, env_file: [.env.docker]}}\n")
			write(t, filepath.Join(dir, ".env.docker"), "")
			write(t, filepath.Join(dir, file), "A=b\n"+line)
			_, err := engine.Load(t.Context(), dir, "smeng", nil)
			if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), file) {
				t.Errorf("%s with %q: %v, want an error without the line's text", file, line, err)
			}
		}
	}
}

// A password with a $ in it is what Compose stumbles over.
func TestLoadQuotesNoValue(t *testing.T) {
	dir := t.TempDir()
	const base, override = "services: {a: {image: x}}\n", "services: {a: {environment: {PASSWORD: 'planted${word'}}}\n"
	write(t, filepath.Join(dir, "docker-compose.yml"), base)
	write(t, filepath.Join(dir, "docker-compose.override.yml"), override)
	_, err := engine.Load(t.Context(), dir, "smeng", nil)
	for _, err := range []error{err, engine.Check(t.Context(), dir, base, "COMPOSE_PROJECT_NAME=smeng\n")} {
		if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "services.a.environment.PASSWORD") {
			t.Errorf("got %v, want an error that names the setting, without its value", err)
		}
	}
}

func TestLoadDoesNotLookIntoParentFolders(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "docker-compose.yml"), "services: {a: {image: x}}\n")
	inner := filepath.Join(dir, "inner")
	must(t, os.Mkdir(inner, 0o700))
	if _, err := engine.Load(t.Context(), inner, "", nil); fault.CodeOf(err) != fault.BadInput {
		t.Errorf("error %v, want bad input", err)
	}
}

// TestNothingIsPrinted guards the program's streams against the libraries' own output.
func TestNothingIsPrinted(t *testing.T) {
	e := connect(t)
	stdout, stderr := os.Stdout, os.Stderr
	r, w, err := os.Pipe()
	must(t, err)
	os.Stdout, os.Stderr = w, w
	p := project(t, e, "name: ignored\nservices:\n  a: {image: \""+testImage+"\", environment: {A: \"${UNSET_BY_SMENG}\"}}\n")
	createErr := e.Create(t.Context(), p, engine.CreateOptions{})
	startErr := e.Start(t.Context(), p)
	removeErr := e.Remove(t.Context(), p.Name)
	os.Stdout, os.Stderr = stdout, stderr
	must(t, w.Close())
	must(t, createErr)
	must(t, startErr)
	must(t, removeErr)
	out, err := io.ReadAll(r)
	must(t, err)
	if len(out) != 0 {
		t.Errorf("printed %q", out)
	}
}
