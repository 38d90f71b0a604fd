package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/moby/moby/client"
)

// planted are secrets that a user gives by the environment; their characters survive few formats as they are.
var planted = map[string]string{
	"SYNCMASTER__ENCRYPTION__SECRET_KEY":         "bWFya2VyLW9mLWEtcGxhbnRlZC1mZXJuZXQta2V5LTE=",
	"SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY": `marker-token "$HOME" %41 #x 'y' \z & ü`,
	"SYNCMASTER__HWM_STORE__PASSWORD":            "marker/hwm+pass=word?%",
}

// plantedOptions take them from the environment.
func plantedOptions() (args, env []string) {
	for name, value := range planted {
		args = append(args, "--set", name)
		env = append(env, name+"="+value)
	}
	return args, env
}

// noSecret fails the test where a text holds a secret: as it is, encoded in a URL, in base64, in hexadecimal, in JSON.
func noSecret(t *testing.T, where, text string, secrets ...string) {
	t.Helper()
	for i, secret := range secrets {
		if len(secret) < 8 {
			t.Fatalf("secret %d is too short to be searched for", i)
		}
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		forms := []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
			hex.EncodeToString([]byte(secret)), strings.Trim(string(quoted), `"`),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		}
		for _, form := range forms {
			if strings.Contains(text, form) {
				t.Errorf("secret %d is in %s, as %q:\n%s", i, where, form, text)
				break
			}
		}
	}
}

// allSecrets returns every secret of the install: those planted and those in its env files.
func (s *stack) allSecrets() []string {
	s.t.Helper()
	var list []string
	for _, value := range planted {
		list = append(list, value)
	}
	for _, file := range []string{".env", ".env.docker"} {
		values, err := dotenv.Read(filepath.Join(s.dir, file))
		if err != nil {
			s.t.Fatal(err)
		}
		for name, value := range values {
			secret := strings.HasSuffix(name, "PASSWORD") || strings.HasSuffix(name, "SECRET_KEY") || strings.HasSuffix(name, "CLIENT_SECRET")
			if secret && len(value) >= 8 && !slices.Contains(list, value) {
				list = append(list, value)
			}
		}
	}
	if len(list) < len(planted)+2 {
		s.t.Fatalf("found %d secrets, want those planted and two passwords", len(list))
	}
	return list
}

// TestPlantedSecrets looks for every secret of an install everywhere outside of its env files (design.md, invariant 10).
func TestPlantedSecrets(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	options := append(slices.Clone(whole), set...)
	dry := s.init(append(options, "--dry-run")...).is(t, 0)
	p := begin(t, s.command(append(options, "--output", "json")...))
	watched := watchProcesses(s.dir, p)
	got := p.wait().is(t, 0)
	again := s.init(options...).is(t, 0)
	for name, value := range planted {
		if s.setting(".env.docker", name) != value {
			t.Errorf("%s did not survive the way into the env file", name)
		}
	}
	secrets := s.allSecrets()
	noSecret(t, "the events", got.said(), secrets...)
	noSecret(t, "the output of a dry run", dry.said(), secrets...)
	noSecret(t, "the output of the second run", again.said(), secrets...)
	noSecret(t, "the list of processes, or a file, while it ran", <-watched, secrets...)
	noSecret(t, "docker compose ps", s.compose("ps", "--all", "--format", "json").said(), secrets...)
	s.mustHideSecrets(secrets)
	s.mustHideSecretsInEngine(secrets)
}

// mustHideSecrets searches the folder with the logs of its runs; the env files, and the generations' copies of them, are
// for the owner only.
func (s *stack) mustHideSecrets(secrets []string) {
	s.t.Helper()
	searched := 0
	for name, content := range s.files() {
		if base := filepath.Base(name); base == ".env" || base == ".env.docker" {
			if !strings.HasPrefix(content, "-rw------- ") {
				s.t.Errorf("%s has the mode %.10s", name, content)
			}
			continue
		}
		searched++
		noSecret(s.t, name, content, secrets...)
	}
	for name, content := range s.logs() {
		noSecret(s.t, name, content, secrets...)
	}
	noSecret(s.t, "the lock", read(s.t, filepath.Join(s.dir, ".syncmaster-setup", "lock")), secrets...)
	if searched < 5 {
		s.t.Errorf("only %d files were searched", searched)
	}
}

// logs returns the logs of the runs, and what containers have said that failed in them.
func (s *stack) logs() map[string]string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, ".syncmaster-setup", "logs", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	list := map[string]string{}
	for _, path := range paths {
		list[strings.TrimPrefix(path, s.dir)] = read(s.t, path)
	}
	return list
}

// watched runs a command of the program to its end, and finds no secret in what it says, nor in the journal and the
// arguments of any process meanwhile.
func (s *stack) watched(secrets []string, command string, args ...string) result {
	s.t.Helper()
	p := begin(s.t, s.wrap(s.on(command, args...)))
	return s.unspoken(p, secrets)
}

// unspoken waits for a program that is at work, as watched does.
func (s *stack) unspoken(p *process, secrets []string) result {
	s.t.Helper()
	meanwhile := watchProcesses(s.dir, p)
	got := p.wait()
	noSecret(s.t, "what it says: "+got.command, got.said(), secrets...)
	noSecret(s.t, "the list of processes, or the journal, while it ran: "+got.command, <-meanwhile, secrets...)
	return got
}

// mustHideSecretsInEngine searches what anybody sees who may list containers: names, labels, commands and images. The
// environment of a container is where Compose puts its settings, so the frontend's must hold none of them.
func (s *stack) mustHideSecretsInEngine(secrets []string) {
	s.t.Helper()
	for service, c := range s.containers() {
		seen := fmt.Sprint(c.Name, c.Path, c.Args, c.Config.Labels, c.Config.Cmd, c.Config.Entrypoint, c.Config.Hostname, c.Config.Healthcheck)
		noSecret(s.t, "the container of "+service, seen, secrets...)
		if service == "frontend" {
			noSecret(s.t, "the environment of the frontend", strings.Join(c.Config.Env, "\n"), secrets...)
		}
		history, err := docker.ImageHistory(s.t.Context(), c.Image)
		if err != nil {
			s.t.Fatal(err)
		}
		noSecret(s.t, "the image of "+service, fmt.Sprint(history.Items), secrets...)
	}
	networks, err := docker.NetworkList(s.t.Context(), client.NetworkListOptions{Filters: s.filter()})
	if err != nil {
		s.t.Fatal(err)
	}
	noSecret(s.t, "the network", fmt.Sprint(networks.Items), secrets...)
}

// TestFailuresHideSecrets reads what init says when things go wrong.
func TestFailuresHideSecrets(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	s.init(append(slices.Clone(whole), set...)...).is(t, 0)
	s.env = nil // the second run knows the secrets from the files alone
	const overridden = "override-marker-secret-1"
	secrets := append(s.allSecrets(), overridden)

	// a worker that prints all it knows and ends
	override := filepath.Join(s.dir, "docker-compose.override.yml")
	write(t, override, "services:\n  worker:\n    entrypoint: [env]\n    command: []\n    environment: {S3_SECRET: "+overridden+"}\n")
	for _, output := range []string{"text", "json"} {
		got := s.init(append(slices.Clone(whole), "--output", output)...).is(t, 1).says(t, "SYNCMASTER__", "****")
		noSecret(t, "the last lines of a worker, as "+output, got.said(), secrets...)
	}
	if err := os.Remove(override); err != nil {
		t.Fatal(err)
	}

	s.query("ALTER USER syncmaster PASSWORD 'another-password'")
	for _, output := range []string{"text", "json"} {
		got := s.init(append(slices.Clone(whole), "--output", output, "--wait-timeout", "20s")...)
		if got.code == 0 {
			t.Errorf("init accepts a database that refuses its password\n%s", got.said())
		}
		got.says(t, "password")
		noSecret(t, "the word about a wrong password, as "+output, got.said(), secrets...)
	}
	s.mustHideSecrets(secrets)
}

// TestModes writes secrets for the owner only, under every umask. It runs as an ordinary user, whom modes bind.
func TestModes(t *testing.T) {
	for _, umask := range []string{"0777", "0077", "0000"} {
		t.Run(umask, func(t *testing.T) {
			s := newStack(t)
			s.wrap = func(cmd *exec.Cmd) *exec.Cmd {
				shell := exec.Command("sh", append([]string{"-ec", "umask " + umask + `; exec "$@"`, "sh"}, cmd.Args...)...)
				shell.Env = cmd.Env
				return asNobody(shell)
			}
			render := func() {
				cmd := program(append([]string{"render"}, s.args()[1:]...)...)
				cmd.Env = os.Environ()
				finish(t, s.wrap(cmd)).is(t, 0)
			}
			render()
			s.mustBePrivate()
			render() // what the first has written can be read again
			s.mustBePrivate()
		})
	}
	t.Run("init", func(t *testing.T) {
		s := newStack(t)
		s.env = []string{"DOCKER_HOST=" + newProxy(t).host()}
		s.wrap = func(cmd *exec.Cmd) *exec.Cmd {
			shell := exec.Command("sh", append([]string{"-ec", `umask 0777; exec "$@"`, "sh"}, cmd.Args...)...)
			shell.Env = cmd.Env
			return asNobody(shell)
		}
		s.init("--profile", "scheduler").is(t, 0)
		s.mustBePrivate()
		s.init("--profile", "scheduler").is(t, 0).says(t, "nothing had to be changed")
		s.mustBePrivate()
	})
}

// mustBePrivate compares the modes in the folder: 0700 and 0600, and 0644 for the Compose file, which has no secrets.
func (s *stack) mustBePrivate() {
	s.t.Helper()
	seen := 0
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		switch {
		case entry.IsDir():
			want = 0o700
		case path == filepath.Join(s.dir, "docker-compose.yml"):
			want = 0o644
		}
		if info.Mode().Perm() != want {
			s.t.Errorf("%s has the mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
		seen++
		return nil
	})
	if err != nil || seen < 8 {
		s.t.Errorf("looked at %d files, %v", seen, err)
	}
}

// watchProcesses collects the arguments of all processes and the journal while a program runs.
func watchProcesses(dir string, p *process) <-chan string {
	result := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		p.read.Wait()
		close(ended)
	}()
	go func() {
		seen := map[string]bool{}
		for {
			arguments, err := filepath.Glob("/proc/[0-9]*/cmdline")
			if err != nil {
				arguments = nil // the pattern is right, so this cannot be
			}
			for _, path := range append(arguments, filepath.Join(dir, ".syncmaster-setup", "journal.json")) {
				if data, err := os.ReadFile(path); err == nil { // otherwise it is over
					seen[strings.ReplaceAll(string(data), "\x00", " ")] = true
				}
			}
			select {
			case <-ended:
				var b strings.Builder
				for text := range seen {
					b.WriteString(text + "\n")
				}
				result <- b.String()
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return result
}
