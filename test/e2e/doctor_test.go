package e2e_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// finding is what one check of doctor has found.
type finding struct{ ID, Level, Text, Next string }

// doctor returns the findings by their check.
func (s *stack) doctor() map[string]finding {
	s.t.Helper()
	list := map[string]finding{}
	for _, f := range s.findings() {
		list[f.ID] = f
	}
	checks.list(list)
	return list
}

// findings returns what each check has found, in the order in which it is told.
func (s *stack) findings() []finding {
	s.t.Helper()
	got := s.look("doctor", "--output", "json")
	var c struct {
		Result   string
		Well     bool
		Failed   int
		Findings []finding
	}
	if err := json.Unmarshal([]byte(got.stdout), &c); err != nil || c.Result != "ok" || got.stderr != "" {
		s.t.Fatalf("%v\n%s", err, got.said())
	}
	if c.Well != (got.code == 0) || c.Well != (c.Failed == 0) {
		s.t.Errorf("exit code %d with %d failed checks", got.code, c.Failed)
	}
	return c.Findings
}

// found waits until a check comes to a level with a text, and returns it.
func (s *stack) found(id, level, text string) finding {
	s.t.Helper()
	var f finding
	eventually(s.t, func() error {
		if f = s.doctor()[id]; f.Level != level || !strings.Contains(f.Text, text) {
			return fmt.Errorf("%s: %+v, want %s with %q", id, f, level, text)
		}
		return nil
	})
	if f.Level != "pass" && f.Next == "" {
		s.t.Errorf("%s: no next step: %+v", id, f)
	}
	checks.note(f)
	return f
}

// follow types what a finding says is to be typed, and waits until its check passes.
func (s *stack) follow(f finding) {
	s.t.Helper()
	s.typed(f.Next).is(s.t, 0)
	checks.follow(f.ID)
	s.found(f.ID, "pass", "")
}

// typed runs a next step in a shell, without the remark at its end. Where it asks for something else first, that was done.
func (s *stack) typed(next string) result {
	s.t.Helper()
	line, _, _ := strings.Cut(next, "    (") // a remark
	if at := strings.LastIndex(line, "then: "); at >= 0 {
		line = line[at+len("then: "):]
	}
	if names, removes := strings.CutPrefix(line, "docker rm --force "); removes { // no other command needs the Docker CLI
		for _, name := range strings.Fields(names) {
			if _, err := docker.ContainerRemove(s.t.Context(), name, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
				s.t.Fatal(err)
			}
		}
		line = "true"
	}
	tools := s.t.TempDir()
	for name, script := range map[string]string{
		"syncmaster-setup": `exec ` + binary + ` "$@"`,
		"docker":           `[ "$1" = compose ] && shift && exec ` + composeCLI + ` "$@"`,
	} {
		path := filepath.Join(tools, name)
		write(s.t, path, "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(path, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	shell := exec.Command("sh", "-c", line)
	shell.Env = append(append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH")), s.env...)
	return finish(s.t, shell)
}

// edit changes a file in the folder and keeps its mode.
func (s *stack) edit(name, old, new string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	text := read(s.t, path)
	if !strings.Contains(text, old) {
		s.t.Fatalf("%s does not hold %q", name, old)
	}
	write(s.t, path, strings.Replace(text, old, new, 1))
}

// TestDoctor gives a running stack one fault after the other. Each is found, and gone after its own advice was followed.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	s.found("worker-queues", "warn", "1-etl")
	s.query(seed(s.token()))
	s.found("worker-queues", "pass", "")
	for id, f := range s.doctor() {
		if f.Level != "pass" && id != "memory" && id != "disk" && id != "proxy" { // they are those of this machine
			t.Errorf("a healthy stack: %+v", f)
		}
	}
	s.foldersFaults(t)
	s.serviceFaults(t)
	s.settingFaults(t)
	s.hostFaults(t)
	if t.Failed() {
		return
	}
	s.look("doctor", "--all").says(t, "Passed", "secrets, key: it opens the newest stored credentials (1 row)")
	s.mustBeHealthy(all...)
}

func (s *stack) foldersFaults(t *testing.T) {
	t.Run("loose modes", func(t *testing.T) {
		for _, name := range []string{".env.docker", ".syncmaster-setup/state.json"} {
			if err := os.Chmod(filepath.Join(s.dir, name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s.follow(s.found("modes", "fail", ".env.docker, .syncmaster-setup/state.json"))
	})
	t.Run("edited compose file", func(t *testing.T) {
		s.edit("docker-compose.yml", "stop_grace_period: 30s", "stop_grace_period: 31s")
		f := s.found("compose-file", "warn", "edited by hand")
		s.follow(s.found("applied", "warn", "server"))
		s.follow(f)
		s.follow(s.found("applied", "warn", "server"))
	})
	t.Run("a compose file that is none", func(t *testing.T) {
		s.edit("docker-compose.yml", "services:", "services: [")
		s.found("project", "fail", "docker-compose.yml")
		s.follow(s.found("compose-file", "warn", "edited by hand"))
		s.found("project", "pass", "")
	})
	t.Run("an interrupted run", func(t *testing.T) {
		p := begin(t, s.command("--set", "SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS=301"))
		if !p.until(func(line string) bool { return strings.Contains(line, "write files") }) {
			t.Fatalf("init ended: %s", p.wait().said())
		}
		_ = p.cmd.Process.Kill() // wait reports the end
		p.wait().is(t, 128+9)
		s.follow(s.found("interrupted", "fail", "interrupted at"))
	})
	t.Run("the environment", func(t *testing.T) {
		s.env = []string{"VERSION=0.2.0"}
		s.found("environment", "warn", "VERSION")
		s.env = nil
		s.found("environment", "pass", "")
	})
}

func (s *stack) serviceFaults(t *testing.T) {
	t.Run("a stopped broker", func(t *testing.T) {
		s.compose("stop", "rabbitmq").is(t, 0)
		s.found("services", "fail", "service rabbitmq ended with code")
		s.follow(s.found("broker", "fail", "does not run"))
		s.found("services", "pass", "")
	})
	t.Run("several services", func(t *testing.T) {
		s.compose("stop", "frontend").is(t, 0)
		s.compose("pause", "scheduler").is(t, 0)
		f := s.found("services", "fail", "service frontend ended with code")
		for _, line := range []string{"→ cd " + s.dir + " && docker compose start frontend", "→ cd " + s.dir + " && docker compose unpause scheduler"} {
			if !strings.Contains(f.Text, line) {
				t.Fatalf("%+v lacks %q", f, line)
			}
			s.typed(strings.TrimPrefix(line, "→ ")).is(t, 0)
		}
		s.found("services", "pass", "")
	})
	t.Run("a queue without a worker", func(t *testing.T) {
		s.query("INSERT INTO queue (name, slug, group_id, description) VALUES ('new', '1-new', 1, ''); UPDATE transfer SET queue_id = (SELECT id FROM queue WHERE slug = '1-new')")
		s.found("unserved", "warn", "no worker serves the queue 1-new")
		admin := s.login("admin")
		var run struct {
			ID     int
			Status string
		}
		s.call(http.MethodPost, "/v1/runs", admin, `{"transfer_id": 1}`, &run)
		s.follow(s.found("unserved", "fail", "1 transfer waits"))
		eventually(t, func() error {
			s.call(http.MethodGet, fmt.Sprintf("/v1/runs/%d", run.ID), admin, "", &run)
			if run.Status != "FINISHED" {
				return errors.New("the run is " + run.Status)
			}
			return nil
		})
	})
	t.Run("a second scheduler", func(t *testing.T) {
		s.compose("run", "--detach", "--no-deps", "scheduler").is(t, 0)
		s.follow(s.found("schedulers", "fail", "2 schedulers run"))
	})
	t.Run("a stranded run", func(t *testing.T) {
		s.query("INSERT INTO queue (name, slug, group_id, description) VALUES ('gone', '1-gone', 1, ''); UPDATE transfer SET queue_id = (SELECT id FROM queue WHERE slug = '1-gone'); INSERT INTO run (transfer_id, status, type, transfer_dump) VALUES (1, 'STARTED', 'MANUAL', '{}')")
		s.follow(s.found("stranded", "warn", "nobody serves its queue 1-gone"))
		s.query("DELETE FROM run; UPDATE transfer SET queue_id = 1; DELETE FROM queue WHERE slug = '1-gone'")
	})
	t.Run("a changed schema", func(t *testing.T) {
		s.query("DROP INDEX ix__run__type")
		f := s.found("drift", "warn", "ix__run__type")
		_, sql, ok := strings.Cut(s.typed(f.Next).is(t, 1).says(t, "run the SQL that you agree with").stdout, "\n    ")
		if !ok {
			t.Fatal("the advice leads to no SQL")
		}
		s.query(strings.ReplaceAll(sql, "\n    ", "\n"))
		checks.follow("drift")
		s.found("drift", "pass", "")
	})
}

func (s *stack) settingFaults(t *testing.T) {
	t.Run("a wrong key", func(t *testing.T) {
		const name = "SYNCMASTER__ENCRYPTION__SECRET_KEY="
		right := s.setting(".env.docker", strings.TrimSuffix(name, "="))
		s.edit(".env.docker", name+right, name+wrongKey)
		s.compose("up", "--detach").is(t, 0)
		f := s.found("key", "fail", "does not open")
		s.found("sample-secrets", "fail", name[:len(name)-1])
		if said := fmt.Sprint(s.doctor()); strings.Contains(said, right) || strings.Contains(said, wrongKey) {
			t.Error("doctor shows a key")
		}
		s.follow(f)
		if s.setting(".env.docker", strings.TrimSuffix(name, "=")) != right {
			t.Error("another key came back")
		}
		s.found("sample-secrets", "pass", "")
	})
	t.Run("a published secret", func(t *testing.T) {
		s.init("--set", "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY=generate_another_random_string").is(t, 0)
		s.follow(s.found("sample-secrets", "fail", "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY in .env.docker"))
	})
	t.Run("settings that are not read", func(t *testing.T) {
		s.edit(".env.docker", "TZ=UTC", "TZ=UTC\nENV=LOCAL\nSYNCMASTER__LOGGING__PRESET=json")
		f := s.found("names", "warn", "next to nothing")
		s.edit(".env.docker", "\nENV=LOCAL\nSYNCMASTER__LOGGING__PRESET=json", "")
		s.follow(f)
	})
	t.Run("a public login, and debug", func(t *testing.T) {
		s.init("--bind", "0.0.0.0").is(t, 0)
		s.follow(s.found("debug", "warn", "error details"))
		s.follow(s.found("login", "fail", "0.0.0.0"))
	})
}

func (s *stack) hostFaults(t *testing.T) {
	t.Run("a port of another program", func(t *testing.T) {
		s.compose("stop", "frontend").is(t, 0)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ports.ui)))
		if err != nil {
			t.Fatal(err)
		}
		s.found("ports", "fail", fmt.Sprintf("port %d of the UI is held by", s.ports.ui))
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		s.found("ports", "pass", "")
		s.follow(s.found("services", "fail", "service frontend ended"))
	})
	t.Run("a full disk", func(t *testing.T) {
		aside := t.TempDir()
		mounted := inMountNamespace(fmt.Sprintf("cp -a %[1]s/. %[2]s; mount -t tmpfs -o size=8m,mode=0700 tmpfs %[1]s; cp -a %[2]s/. %[1]s", s.dir, aside))
		before := s.doctor()["disk"].Level // of this machine
		s.wrap = mounted
		s.found("disk", "fail", s.dir+" has")
		s.wrap = func(cmd *exec.Cmd) *exec.Cmd { return cmd }
		s.found("disk", before, "")
	})
	t.Run("a proxy", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.json"), `{"proxies": {"default": {"httpProxy": "http://me:proxy-password@proxy.invalid"}}}`)
		s.env = []string{"DOCKER_CONFIG=" + dir}
		if f := s.found("proxy", "warn", "HTTP_PROXY"); strings.Contains(f.Text+f.Next, "proxy-password") {
			t.Errorf("%+v", f)
		}
		write(t, filepath.Join(dir, "config.json"), `{"proxies": {"default": {"httpProxy": "http://proxy.invalid", "noProxy": "localhost,127.0.0.1,db,rabbitmq,server"}}}`)
		s.found("proxy", "pass", "")
		s.env = nil
	})
	t.Run("no engine", func(t *testing.T) {
		s.env = []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}
		s.found("engine", "fail", "/nowhere/docker.sock")
		s.env = nil
		s.found("engine", "pass", "")
	})
}

// TestBundle plants secrets in settings, in the override file and in logs, and searches the archive for them.
func TestBundle(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	s.init(append(whole, set...)...).is(t, 0)
	s.env = nil
	more := map[string]string{
		"override": "override-marker-secret-1", "command": "command-marker-secret-2", "unknown": "unknown-marker-value-3", "comment": "comment-marker-value-4",
		"address": "address-marker-word-5",
	}
	// a worker that prints all it knows and ends
	write(t, filepath.Join(s.dir, "docker-compose.override.yml"), `# was: `+more["comment"]+`
services:
  worker:
    entrypoint: [env]
    command: []
    environment:
      S3_SECRET: >-
        `+more["override"]+`
      PROXY_ADDRESS: http://me:`+more["address"]+`@proxy.invalid:3128
    labels:
      api_key: `+more["command"]+`
`)
	s.edit(".env.docker", "TZ=UTC", "TZ=UTC\nMY_OWN_SETTING="+more["unknown"]+"\n#OLD="+more["comment"])
	s.compose("up", "--detach", "--no-deps", "worker").is(t, 0)
	s.found("services", "fail", "keeps restarting")
	logs := filepath.Join(s.dir, ".syncmaster-setup", "logs")
	var spelt []string // as a log could have them that was written by another hand
	for _, secret := range s.allSecrets() {
		spelt = append(spelt, secret, base64.StdEncoding.EncodeToString([]byte("user:"+secret)), hex.EncodeToString([]byte(secret)), url.QueryEscape(secret))
	}
	write(t, filepath.Join(logs, "20260101T120000.000Z-abort.log"), strings.Join(spelt, "\n"))
	write(t, filepath.Join(logs, "20260101T120001.000Z-server.txt"), strings.Join(spelt, " "))

	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	got := s.look("doctor", "--bundle", path).is(t, 1).says(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the bundle has the mode %04o", info.Mode().Perm())
	}
	s.look("doctor", "--bundle", path).is(t, 3).says(t, "exists already")

	secrets := s.allSecrets()
	for name, value := range more {
		if name != "unknown" { // the value of a setting that no release knows is hidden in the file alone
			secrets = append(secrets, value)
		}
	}
	noSecret(t, "the output of doctor", got.said(), secrets...)
	files := readArchive(t, path)
	mustHoldNoSecret(t, files, secrets)
	noSecret(t, "the settings", files["syncmaster-bundle/files/env.docker"], more["unknown"])
	mustHold(t, files, map[string]string{
		"versions.txt": "SyncMaster 0.3.2", "status.json": `"healthy": false`, "doctor.json": `"id": "services"`, "files/env": "POSTGRES_PASSWORD=****",
		"files/env.docker": "MY_OWN_SETTING=****", "files/docker-compose.yml": "image: ${IMAGE_PREFIX:-}postgres:17", "files/docker-compose.override.yml": "entrypoint: [env]",
		"files/state.json": s.project, "plan.txt": "write files", "runs/20260101T120000.000Z-abort.log": "****", "runs/20260101T120001.000Z-server.txt": "****",
		"logs/" + s.project + "-worker-1.log": "SYNCMASTER__DATABASE__URL=", "logs/" + s.project + "-db-1.log": "database system is ready",
	})
	if names := slices.Sorted(maps.Keys(files)); !slices.ContainsFunc(names, func(n string) bool {
		return strings.HasPrefix(n, "syncmaster-bundle/runs/") && strings.HasSuffix(n, "Z-init.log")
	}) {
		t.Errorf("the log of init is missing among %v", names)
	}

	again := func(name, says string) map[string]string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name+".tar.gz")
		got := s.look("doctor", "--bundle", path).is(t, 1).says(t, path, says)
		noSecret(t, "the output of doctor, "+name, got.said(), secrets...)
		files := readArchive(t, path)
		mustHoldNoSecret(t, files, secrets)
		return files
	}
	s.env = []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}
	mustHold(t, again("no-engine", "/nowhere/docker.sock"), map[string]string{"files/docker-compose.override.yml": "S3_SECRET: ****"})
	s.env = nil
	s.edit("docker-compose.override.yml", "services:", "services: [")
	mustHold(t, again("broken", "reading the Compose project"), map[string]string{
		"files/docker-compose.override.yml": "left out", "files/docker-compose.yml": "image: ${IMAGE_PREFIX:-}postgres:17", "logs/" + s.project + "-worker-1.log": "S3_SECRET=****",
	})
}

// mustHoldNoSecret searches a bundle, also for the middle of an encoded secret, which is one, too.
func mustHoldNoSecret(t *testing.T, files map[string]string, secrets []string) {
	t.Helper()
	for name, text := range files {
		noSecret(t, name, text, secrets...)
		for _, secret := range secrets {
			if middle := base64.StdEncoding.EncodeToString([]byte("user:" + secret))[8:]; strings.Contains(text, middle[:len(middle)-4]) {
				t.Errorf("%s holds a secret in base64:\n%s", name, text)
			}
		}
	}
}

// mustHold fails the test unless each of some files of a bundle holds a text.
func mustHold(t *testing.T, files, wanted map[string]string) {
	t.Helper()
	for name, want := range wanted {
		if !strings.Contains(files["syncmaster-bundle/"+name], want) {
			t.Errorf("%s does not hold %q:\n%s", name, want, files["syncmaster-bundle/"+name])
		}
	}
}

// readArchive returns the files of a tar.gz.
func readArchive(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if header.Mode != 0o600 {
			t.Errorf("%s has the mode %04o", header.Name, header.Mode)
		}
		files[header.Name] = string(text)
	}
}
