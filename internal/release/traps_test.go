package release_test

import (
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/release"
)

func TestTraps(t *testing.T) {
	const database = "postgresql+asyncpg://user:hidden-word@db:5432/syncmaster"
	tests := []struct {
		version, name, value string
		fatal                bool
		want                 string // empty: no trap
	}{
		{"0.3.2", "SYNCMASTER__SERVER__DEBUG", "true", false, ""},
		{"0.3.2", "TZ", "UTC", false, ""},
		{"0.3.2", "PGSSLMODE", "require", false, ""},
		{"0.3.2", "ENV", "LOCAL", false, "read by nothing"},
		{"0.3.2", "SYNCMASTER__LOGGING__PRESET", "json", false, "next to nothing"},
		{"0.3.2", "SYNCMASTER__ENTRYPOINT__SUPERUSERS", "admin", false, "SYNCMASTER__SUPERUSERS; it is ignored"},
		{"0.3.2", "SYNCMASTER__SUPERUSERS", "admin", true, "JSON list"},
		{"0.3.2", "SYNCMASTER__SERVER__CORS__ALLOW_ORIGINS", "*", true, "JSON list"},
		{"0.2.5", "syncmaster__server__cors__allow_origins", "http://a,http://b", true, "JSON list"},
		{"0.2.5", "SYNCMASTER__SERVER__CORS__ENABLED", "false", false, "no effect"},
		{"0.2.5", "SYNCMASTER__WORKER__SPARK", "x", true, "does not start"},
		{"0.3.2", "SYNCMASTER__WORKER__NONSENSE", "x", false, "ignored"},
		{"0.2.5", "LOG_URL_TEMPLATE", "x", false, "SYNCMASTER__WORKER__LOG_URL_TEMPLATE"},
		{"0.3.2", "LOG_URL_TEMPLATE", "x", false, ""},
		{"0.3.2", "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", `https://l/\{\{ run.id \}\}`, true, "backslashes"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database + "?ssl=require", false, "PGSSLMODE"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database, false, ""},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", "postgresql://user:hidden-word@db/x", true, "postgresql+asyncpg"},
		{"0.3.2", "SYNCMASTER__DATABASE__POOL_SIZE", "5", false, "by the server alone"},
		{"0.3.2", "SYNCMASTER__BROKER__HEARTBEAT", "5", false, "without effect"},
		{"0.3.2", "SYNCMASTER__BROKER__URL", "amqp://u:hidden-word@rabbitmq:5672?heartbeat=5", false, "dropped"},
		{"0.3.2", "SYNCMASTER__AUTH__JWT__ACCESS_KEY", "hidden-word", false, "no setting"},
	}
	for _, tt := range tests {
		r, err := release.Lookup(tt.version)
		if err != nil {
			t.Fatal(err)
		}
		traps := r.Traps(map[string]string{tt.name: tt.value}, nil)
		if tt.want == "" {
			if len(traps) > 0 {
				t.Errorf("%s %s: %+v", tt.version, tt.name, traps)
			}
			continue
		}
		if len(traps) != 1 || traps[0].Fatal != tt.fatal || !strings.Contains(traps[0].What, tt.want) || strings.Contains(traps[0].What, "hidden-word") {
			t.Errorf("%s %s: %+v, want %q", tt.version, tt.name, traps, tt.want)
		}
	}
}

func TestMissingSettingsAreTraps(t *testing.T) {
	r, err := release.Lookup("0.3.2")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"SYNCMASTER__DATABASE__URL": "postgresql+asyncpg://u:p@db:5432/s", "SYNCMASTER__BROKER__URL": "amqp://u:p@rabbitmq",
		"SYNCMASTER__ENCRYPTION__SECRET_KEY": "k",
	}
	traps := r.Traps(env, []release.Component{release.Worker, release.Scheduler})
	if len(traps) != 1 || traps[0].Name != "SYNCMASTER__WORKER" || !traps[0].Fatal {
		t.Errorf("%+v, want the worker's section alone", traps)
	}
	env["SYNCMASTER__WORKER"] = "{}"
	if traps := r.Traps(env, []release.Component{release.Server, release.Worker}); !slices.ContainsFunc(traps, func(t release.Trap) bool { return strings.Contains(t.Name, "ACCESS_TOKEN") }) {
		t.Errorf("%+v, want the server's token key", traps)
	}
}
