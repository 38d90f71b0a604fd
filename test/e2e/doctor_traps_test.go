package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/envfile"
)

// trap is a value that a release refuses, ignores or reads in another way than it looks (contract.md, section 2), and
// what doctor says of it. A name alone takes the setting away; a value that begins with + is put behind the present one.
type trap struct{ assignment, check, level, says string }

const app, ui = "SYNCMASTER__", ".env:SYNCMASTER__UI__"

// trapsOf are those of the two generations of settings. Each has its number there, or the section that it is from.
var trapsOf = map[string][]trap{
	"0.3.2": {
		{app + "WORKER", "names", "fail", "SYNCMASTER__WORKER is missing, and worker does not start without it"}, // 2
		{app + "SERVER__CORS__ALLOW_ORIGINS=*", "names", "fail", "JSON list"},                                    // 4
		{app + "SERVER__CORS__ALLOW_METHODS=GET,POST", "names", "fail", "JSON list"},
		{app + "SERVER__CORS__ENABLED=false", "names", "warn", "no effect"},
		{app + "ENCRYPTION__SECRET_KEY=short", "key", "fail", "is not a Fernet key"}, // 6
		{app + "BROKER__HEARTBEAT=5", "names", "warn", "without effect"},             // 7
		{app + "BROKER__URL=+?heartbeat=5", "names", "warn", "its options are dropped"},
		{app + "DATABASE__POOL_SIZE=5", "names", "warn", "by the server alone"},
		{app + "DATABASE__URL=+?sslmode=prefer", "names", "warn", "its option sslmode is for one of the two"}, // 8
		{app + "DATABASE__URL=+?channel_binding=prefer", "names", "warn", "its option channel_binding"},
		{app + "AUTH__ACCESS_KEY__SECRET_KEY=x", "names", "warn", "did you mean SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY?"}, // 9
		{app + "LOGGING__CUSTOM__CONFIG_PATH=/x", "names", "warn", "next to nothing"},
		{"DATABASE_URL=postgresql+asyncpg://x", "names", "warn", "did you mean SYNCMASTER__DATABASE__URL?"},
		{app + `WORKER__LOG_URL_TEMPLATE=https://x/\{\{ run.id \}\}`, "names", "fail", "without backslashes"}, // 10
		{"ENV=LOCAL", "names", "warn", "read by nothing"},                                                     // 11
		{app + "SUPERUSERS=admin,root", "names", "fail", "JSON list"},                                         // section 1
		{app + "SUPERUSERS=", "names", "fail", "JSON list"},
		{app + "ENTRYPOINT__SUPERUSERS=admin", "names", "warn", "its name is now SYNCMASTER__SUPERUSERS; it is ignored"},
		{app + "LOGGING__PRESET=json", "names", "warn", "next to nothing"}, // How it is read
		{app + "AUTH__KEYCLOAK__SERVER_URL=http://x", "names", "warn", "its name is now SYNCMASTER__AUTH__KEYCLOAK__API_URL"},
		{app + "SERVER__CORS__NONSENSE=1", "names", "fail", "the server does not start"},
		{app + "WORKER__NONSENSE=1", "names", "warn", "it is ignored"},
		{"syncmaster__server__debug=perhaps", "names", "fail", "true or false"},
		{"SYNCMASTER_SERVER__DEBUG=true", "names", "warn", "did you mean SYNCMASTER__SERVER__DEBUG?"},
		{ui + "API_BROWSER_URL=+/v1", "ui", "fail", "the frontend of release 0.3.2 needs"}, // section 7
		{ui + "AUTH_PROVIDER=keycloakAuthProvider", "ui", "fail", "the login form does not fit"},
		{app + "SERVER__CORS__ALLOW_CREDENTIALS=false", "ui", "fail", "sends credentials"},
		{app + `SERVER__CORS__ALLOW_ORIGINS=["http://elsewhere.invalid"]`, "ui", "warn", "ALLOW_ORIGINS does not hold http://localhost:"},
		{"https_proxy=http://proxy.invalid", "proxy", "warn", "gets https_proxy from the files"},
	},
	"0.2.5": {
		{app + "SERVER__SESSION__SECRET_KEY", "names", "fail", "SYNCMASTER__SERVER__SESSION__SECRET_KEY is missing, and server"}, // 1
		{app + "SERVER__CORS__ALLOW_ORIGINS=http://a,http://b", "names", "fail", "JSON list"},
		{"MISFIRE_GRACE_TIME_SECONDS=5", "names", "warn", "like SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS"},
		{app + "WORKER__NONSENSE=1", "names", "fail", "worker or scheduler does not start"},
		{app + "SCHEDULER__NONSENSE=1", "names", "fail", "worker or scheduler does not start"},
		{app + "SERVER__SESSION__NONSENSE=1", "names", "fail", "the server does not start"},
		{app + "LOGGING__PRESET=fancy", "names", "fail", "json, plain, colored"},
		{app + "ENTRYPOINT__SUPERUSERS=[\"admin\"]", "names", "fail", "names with commas"},
		{"syncmaster__entrypoint__superusers=admin", "names", "warn", "capital letters"},
		{app + `SUPERUSERS=["admin"]`, "names", "warn", "is read from release 0.3.0 on"},
		{app + "AUTH__COOKIE__SECRET_KEY=x", "names", "warn", "there its name is SYNCMASTER__SERVER__SESSION__SECRET_KEY"},
		{"SYNCMASTER_CONFIG_FILE=/app/config.yml", "names", "warn", "is read from release 0.3.0 on"},
		{app + "DATABASE__URL=+?ssl=prefer", "names", "warn", "its option ssl is"},
		{ui + "API_BROWSER_URL=+/v1", "ui", "fail", "the frontend of release 0.2.5 needs"},
	},
}

// TestDoctorKnowsTheTraps sets each trap in the files of a real install of its generation. Each is found, and gone after
// its own advice was followed.
func TestDoctorKnowsTheTraps(t *testing.T) {
	t.Parallel()
	for version, traps := range trapsOf {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.init(append(slices.Clone(whole), "--version", version)...).is(t, 0)
			advice := map[string]string{} // that ends with a command, by the command
			for _, tt := range traps {
				restore := s.set(tt.assignment)
				f := s.found(tt.check, tt.level, tt.says)
				switch {
				case strings.HasPrefix(f.Next, "write "):
					s.write(f)
				case strings.HasPrefix(f.Next, "cd "):
					s.follow(f)
				case f.Next == "":
					t.Errorf("%s: no next step: %+v", tt.assignment, f)
				default:
					command := f.Next[strings.LastIndex(f.Next, "syncmaster-setup "):]
					advice[command] = tt.check
				}
				restore()
			}
			for command, check := range advice { // what they say beside it is to correct the file, which is done
				s.follow(finding{ID: check, Next: command})
			}
			s.found("names", "pass", "")
			s.mustBeHealthy(all...)
		})
	}
}

// set changes one setting in a file and returns what puts it back.
func (s *stack) set(assignment string) (restore func()) {
	s.t.Helper()
	name, value, given := strings.Cut(assignment, "=")
	path := filepath.Join(s.dir, ".env.docker")
	if inEnv, is := strings.CutPrefix(name, ".env:"); is {
		name, path = inEnv, filepath.Join(s.dir, ".env")
	}
	before := read(s.t, path)
	file, err := envfile.Parse(before)
	if err != nil {
		s.t.Fatal(err)
	}
	present, _ := file.Get(name)
	if more, is := strings.CutPrefix(value, "+"); is {
		value = present + more
	}
	if given {
		err = file.Set(name, value)
	} else {
		_, err = file.Unset(name)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, path, file.String())
	return func() { write(s.t, path, before) }
}

// order is an advice to write a value into a file and then type a command.
var order = regexp.MustCompile(`^write (\S+?)=(.*?)(?: beside it)? into (\S+?)[,;] then: (.*)$`)

// write does what such an advice says, to the letter.
func (s *stack) write(f finding) {
	s.t.Helper()
	words := order.FindStringSubmatch(f.Next)
	if words == nil {
		s.t.Fatalf("%q is no order to write something", f.Next)
	}
	name, line, path := words[1], words[1]+"="+words[2], words[3]
	text := regexp.MustCompile(`(?m)^`+name+`=.*\n`).ReplaceAllString(read(s.t, path), "")
	write(s.t, path, text+line+"\n")
	f.Next = words[4]
	s.follow(f)
}

// TestDoctorLooksAtWhatIsThere edits what doctor must not take from its own records: the address in .env, and a port in
// the override file.
func TestDoctorLooksAtWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(append(slices.Clone(whole), "--set", "SYNCMASTER__SERVER__DEBUG=true")...).is(t, 0)
	t.Run("an address in .env", func(t *testing.T) {
		s := s.within(t)
		s.edit(".env", "BIND_ADDRESS=127.0.0.1", "BIND_ADDRESS=0.0.0.0")
		s.compose("up", "--detach").is(t, 0)
		s.found("debug", "warn", "error details")
		s.follow(s.found("login", "fail", "the server is published on 0.0.0.0"))
		for port, bindings := range s.container("server").HostConfig.PortBindings {
			for _, b := range bindings {
				if !b.HostIP.IsLoopback() {
					t.Errorf("%s is still published on %s", port, b.HostIP)
				}
			}
		}
	})
	t.Run("a port in the override file", func(t *testing.T) {
		s := s.within(t)
		const override = "docker-compose.override.yml"
		s.override("server", "services:\n  server:\n    ports: ['8000']\n")
		f := s.found("login", "fail", "the server is published on 0.0.0.0")
		file, command, ok := strings.Cut(f.Next, " the address 127.0.0.1, then: ")
		if !ok || !strings.HasSuffix(file, filepath.Join(s.dir, override)) {
			t.Fatalf("%+v", f)
		}
		s.edit(override, "'8000'", "'127.0.0.1::8000'")
		f.Next = command
		s.follow(f)
	})
	t.Run("settings files", func(t *testing.T) {
		s := s.within(t)
		mine := filepath.Join(s.dir, "mine.yml")
		mounted := "services:\n  server:\n    volumes:\n      - ./mine.yml:/app/config.yml:ro\n"
		correct := func(id, level, says, text string) {
			t.Helper()
			f := s.found(id, level, says)
			_, command, ok := strings.Cut(f.Next, ", then: ")
			if !ok || !strings.Contains(f.Next, mine) {
				t.Fatalf("%+v", f)
			}
			write(t, mine, text)
			f.Next = command
			s.follow(f)
		}
		write(t, mine, "server: {allow_origins: ['*']}\n")
		s.override("server", mounted)
		correct("config-file", "warn", "server.allow_origins is ignored: did you mean server.cors.allow_origins?", "server: {cors: {max_age: 5}}\n")
		s.found("config-file", "pass", "the environment wins over it")
		write(t, mine, "server: [\n")
		correct("config-file", "fail", "no YAML", "{}\n")
		write(t, mine, "auth: {keycloak: {client_secret: generated_by_keycloak}}\n")
		correct("sample-secrets", "fail", mine, "{}\n")
		s.override("scheduler", strings.Replace(mounted, "server:", "scheduler:", 1))
		write(t, mine, "scheduler: {misfire_grace_time_seconds: 5}\n")
		correct("config-file", "warn", "it is read as scheduler.MISFIRE_GRACE_TIME_SECONDS", "scheduler: {MISFIRE_GRACE_TIME_SECONDS: 5}\n")
		if err := os.Remove(mine); err != nil {
			t.Fatal(err)
		}
		correct("config-file", "warn", "it is missing", "{}\n")
		s.override("scheduler", "")
	})
	t.Run("secrets of the override file", func(t *testing.T) {
		s := s.within(t)
		const name, known = "SYNCMASTER__AUTH__KEYCLOAK__CLIENT_SECRET", "generated_by_keycloak"
		s.override("server", "services:\n  server:\n    environment:\n      "+name+": "+known+"\n")
		f := s.found("sample-secrets", "fail", name+" in docker-compose.override.yml")
		s.edit("docker-compose.override.yml", known, "another-word")
		_, f.Next, _ = strings.Cut(f.Next, ", then: ")
		s.follow(f)
	})
	t.Run("a container made with a proxy", func(t *testing.T) {
		s := s.within(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.json"), `{"proxies": {"default": {"httpProxy": "http://proxy.invalid", "noProxy": "localhost"}}}`)
		cmd := exec.Command(composeCLI, "up", "--detach", "--no-deps", "--force-recreate", "scheduler")
		cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "DOCKER_CONFIG="+dir)
		finish(t, cmd).is(t, 0)
		s.follow(s.found("proxy", "warn", "the container of scheduler was made with"))
	})
	if !t.Failed() {
		s.mustBeHealthy(all...)
	}
}
