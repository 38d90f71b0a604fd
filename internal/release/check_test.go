package release

import (
	"strings"
	"testing"
)

// TestCheckSetting lists names and values with what the error must contain; an empty text is no error.
func TestCheckSetting(t *testing.T) {
	const server, auth, cors = "SYNCMASTER__SERVER__", "SYNCMASTER__AUTH__", "SYNCMASTER__SERVER__CORS__"
	for _, c := range []struct{ version, name, value, want string }{
		// names
		{"0.2.5", "syncmaster__server__debug", "true", ""},
		{"0.3.0", server + "DEBUGG", "true", "did you mean SYNCMASTER__SERVER__DEBUG?"},
		{"0.3.0", "DATABASE__URL", "x", "did you mean SYNCMASTER__DATABASE__URL?"},
		{"0.2.5", "LOG_URL_TEMPLATE", "x", "did you mean SYNCMASTER__WORKER__LOG_URL_TEMPLATE?"},
		{"0.3.0", "SYNCMASTER__WORKER__SPARK_SESSION_DEFAULT_CONFIG__spark.master", "x", "did you mean SYNCMASTER__WORKER__SPARK_SESSION_DEFAULT_CONFIG?"},
		{"0.3.0", "ENV", "LOCAL", "release 0.3.0 has no setting ENV"},
		{"0.3.0", "", "x", "release 0.3.0 has no setting "},
		{"0.3.0", auth + "ACCESS_KEY__SECRET_KEY", "x", "did you mean SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY?"},
		{"0.3.0", server + "SESSION__SECRET_KEY", "x", "not read any more from release 0.3.0 on; its name is now SYNCMASTER__AUTH__COOKIE__SECRET_KEY"},
		{"0.3.2", server + "SESSION__SESSION_COOKIE", "x", "its name is now SYNCMASTER__AUTH__COOKIE__NAME"},
		{"0.3.1", "SYNCMASTER__ENTRYPOINT__SUPERUSERS", "admin", "its name is now SYNCMASTER__SUPERUSERS"},
		{"0.3.1", "SYNCMASTER__LOGGING__PRESET", "json", "logging is now given as SYNCMASTER__LOGGING in dictConfig form"},
		{"0.2.5", "SYNCMASTER__SUPERUSERS", `["a"]`, "is read from release 0.3.0 on, not by 0.2.5; there its name is SYNCMASTER__ENTRYPOINT__SUPERUSERS"},
		{"0.2.4", "SYNCMASTER__UI__AUTH_PROVIDER", "dummyAuthProvider", "is read from release 0.2.5 on, not by 0.2.4"},
		{"0.2.5", "SYNCMASTER__LOGGING", "{}", "is read from release 0.3.0 on, not by 0.2.5"},
		{"0.3.5", server + "SESSION__MAX_AGE", "1", "SYNCMASTER__AUTH__COOKIE__MAX_AGE"},
		// open sections
		{"0.2.5", "SYNCMASTER__DATABASE__POOL_SIZE", "5", ""},
		{"0.2.5", "SYNCMASTER__DATABASE__URI", "5", "did you mean SYNCMASTER__DATABASE__URL?"},
		{"0.3.0", cors + "MAX_AGE", "600", ""},
		{"0.3.0", cors + "ALLOW_ORIGIN", "[]", "did you mean SYNCMASTER__SERVER__CORS__ALLOW_ORIGINS?"},
		{"0.2.5", server + "SESSION__ANYTHING", "x", "which does not know it"},
		{"0.3.0", server + "SESSION__ANYTHING", "x", "has no setting"},
		{"0.3.0", "SYNCMASTER__LOGGING__ROOT__LEVEL", "INFO", ""},
		{"0.3.0", "SYNCMASTER__LOGGING__WHAT", "INFO", "has no setting"},
		{"0.3.0", "SYNCMASTER__DATABASE__", "x", "did you mean"},
		// values
		{"0.2.5", server + "DEBUG", "ON", ""},
		{"0.2.5", server + "DEBUG", "maybe", `expected true or false, got "maybe"`},
		{"0.2.5", server + "DEBUG", "", "expected true or false"},
		{"0.2.5", server + "DEBUG", " true", "expected true or false"},
		{"0.2.5", "SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS", "1_000", ""},
		{"0.2.5", "SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS", "5m", "expected a whole number, such as 300"},
		{"0.2.5", "SYNCMASTER__LOGGING__PRESET", "pretty", "expected one of json, plain, colored"},
		{"0.2.5", server + "SESSION__SAME_SITE", "anything", ""},
		{"0.3.0", auth + "COOKIE__SAME_SITE", "anything", "expected one of strict, lax, none"},
		{"0.2.5", cors + "ALLOW_ORIGINS", "*", "expected a JSON list of texts"},
		{"0.2.5", cors + "ALLOW_ORIGINS", `["*"]`, ""},
		{"0.2.5", cors + "ALLOW_ORIGINS", `[1]`, "expected a JSON list of texts"},
		{"0.2.5", cors + "ALLOW_ORIGINS", `[null]`, "expected a JSON list of texts"},
		{"0.2.5", cors + "ALLOW_ORIGINS", `null`, "expected a JSON list of texts"},
		{"0.2.5", cors + "ALLOW_ORIGINS", "", "expected a JSON list of texts"},
		{"0.2.5", server + "MONITORING__LABELS", `{"a":"b"}`, ""},
		{"0.2.5", server + "MONITORING__LABELS", `{"a":1}`, "expected a JSON object of texts"},
		{"0.2.5", server + "MONITORING__LABELS", `{"a":null}`, "expected a JSON object of texts"},
		{"0.3.0", "SYNCMASTER__WORKER", "{}", ""},
		{"0.3.0", "SYNCMASTER__WORKER", "null", "expected a JSON object"},
		{"0.3.0", "SYNCMASTER__SUPERUSERS", "admin", "expected a JSON list of texts"},
		{"0.2.5", "SYNCMASTER__ENTRYPOINT__SUPERUSERS", `["admin"]`, "expected names with commas"},
		{"0.2.5", "SYNCMASTER__ENTRYPOINT__SUPERUSERS", "a,b", ""},
		{"0.3.0", auth + "KEYCLOAK__API_URL", "keycloak:8080", "expected a URL"},
		{"0.3.0", auth + "KEYCLOAK__API_URL", "https://kc/auth", ""},
		{"0.3.0", auth + "KEYCLOAK__REALM_NAME", "", "needs a value"},
		{"0.2.5", auth + "KEYCLOAK__SERVER_URL", "kc", "expected a URL"},
		{"0.3.0", auth + "PROVIDER", "DummyAuthProvider", "expected the import path"},
		{"0.3.0", auth + "PROVIDER", "my.own.Provider", ""},
		{"0.2.5", auth + "PROVIDER", providerPackage + "oauth2_gateway_provider.OAuth2GatewayProvider", "release 0.2.5 has no provider"},
		{"0.3.0", auth + "PROVIDER", providerPackage + "oauth2_gateway_provider.OAuth2GatewayProvider", ""},
		{"0.3.0", "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", "https://l/{{ run.id }}", ""},
		{"0.3.0", "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", `https://l/\{\{ run.id \}\}`, "without backslashes"},
		{"0.3.0", "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", "https://l/{{ run.id }", "Jinja"},
		{"0.2.5", "SYNCMASTER__DATABASE__URL", "postgresql+asyncpg://u:p@db:5432/s", ""},
		{"0.2.5", "SYNCMASTER__DATABASE__URL", "postgresql://u:p@db/s", "expected postgresql+asyncpg://"},
		{"0.2.5", "SYNCMASTER__BROKER__URL", "amqps://u:p@mq/v", ""},
		{"0.2.5", "SYNCMASTER__BROKER__URL", "redis://mq", "expected amqp://"},
		{"0.2.5", "SYNCMASTER__ENCRYPTION__SECRET_KEY", "", "needs a value"},
		{"0.2.3", "SYNCMASTER__UI__API_BROWSER_URL", "http://h:8000", `needs "http://h:8000/v1"`},
		{"0.2.3", "SYNCMASTER__UI__API_BROWSER_URL", "http://h:8000/v1", ""},
		{"0.2.4", "SYNCMASTER__UI__API_BROWSER_URL", "http://h:8000/v1", `needs "http://h:8000"`},
		{"0.2.4", "SYNCMASTER__UI__API_BROWSER_URL", "/api", ""},
		{"0.2.4", "SYNCMASTER__UI__API_BROWSER_URL", "h:8000", "expected a URL"},
		{"0.2.4", "SYNCMASTER__UI__API_BROWSER_URL", `http://h"+x`, "cannot contain quotes"},
		{"0.2.5", "TZ", "Europe/Berlin", ""},
		{"0.2.5", "PROMETHEUS_MULTIPROC_DIR", " ", "expected a path"},
		{"0.2.5", "TZ", "a\x00b", "NUL"},
	} {
		err := get(t, c.version).CheckSetting(c.name, c.value)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s %s=%s: %v", c.version, c.name, c.value, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s %s=%s: %v, want %q", c.version, c.name, c.value, err, c.want)
		}
	}
}

func TestOpenSettingsCarryTheirCaveat(t *testing.T) {
	s, ok := Newest().Setting("SYNCMASTER__BROKER__HEARTBEAT")
	if !ok || !s.Open || !strings.Contains(s.Caveat, "without effect") {
		t.Errorf("%+v", s)
	}
}

// TestErrorsNeverContainSecrets gives a marked value to every secret name, also with the wrong release and spelling.
func TestErrorsNeverContainSecrets(t *testing.T) {
	const marked = "pLaNtEd:s3cret"
	seen := 0
	for _, r := range Known() {
		for _, e := range table {
			if !e.Secret {
				continue
			}
			for _, name := range []string{e.Name, e.Name + "X", e.Name[:len(e.Name)-1]} {
				if err := r.CheckSetting(name, marked); err != nil {
					seen++
					if strings.Contains(err.Error(), marked) {
						t.Errorf("%v", err)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no error was seen")
	}
}

func FuzzCheckSetting(f *testing.F) {
	f.Add("SYNCMASTER__SERVER__DEBUG", "true")
	f.Add("SYNCMASTER__UI__API_BROWSER_URL", "http://%zz")
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, r := range []Release{Known()[0], Newest()} {
			_ = r.CheckSetting(name, value) // must not panic
		}
		if _, err := Lookup(value); err != nil && err.Error() == "" {
			t.Error("empty error")
		}
	})
}
