package setup

import (
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

func TestSecretSettings(t *testing.T) {
	for name, secret := range map[string]bool{
		"SYNCMASTER__ENCRYPTION__SECRET_KEY": true, "SYNCMASTER__DATABASE__URL": true, "SYNCMASTER__BROKER__URL": true,
		"POSTGRES_PASSWORD": true, "RABBITMQ_PASSWORD": true, "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY": true,
		"SYNCMASTER__SERVER__DEBUG": false, "VERSION": false, "UI_PORT": false, "WORKER_QUEUES": false,
		"my_token": true, "AWS_SECRET_ACCESS_KEY": true, "SENTRY_DSN": true, "KEY": true, "HTTP_PASS": true, "API_KEY": true,
		"KEYBOARD": false, "COMPASS": false, "PASSAGE": false, "MONKEY": false,
	} {
		if got := secretSetting(name); got != secret {
			t.Errorf("%s is a secret: %v", name, got)
		}
	}
}

// What a file of the folder or of the last generation holds as a secret is hidden, in every form that a text may have.
func TestHide(t *testing.T) {
	w := world{
		texts: map[string]string{
			workdir.EnvFile: "POSTGRES_PASSWORD=first-planted\nUI_PORT=3000\nUSE_TOKEN=true\n",
			workdir.AppEnvFile: "SYNCMASTER__DATABASE__URL=postgresql+asyncpg://u:p%40ss-planted@db:5432/d\nMY_CERT_PRIVATE=\"line-one-planted\nx\nline-two-planted\"\n" +
				"SYNCMASTER__SERVER__DEBUG=true\nPROXY=http://me:proxy-planted@proxy:3128\n",
		},
		last: map[string]string{workdir.EnvFile: "POSTGRES_PASSWORD=older-planted\n"},
	}
	for text, want := range map[string]string{
		"password first-planted.":    "password ****.",
		"older-planted":              "****",
		"p%40ss-planted":             "****",
		"p@ss-planted":               "****",
		"-- line-two-planted --":     "-- **** --",
		"proxy-planted":              "****",
		"debug true, port 3000, x y": "debug true, port 3000, x y",
	} {
		if got := w.hide(text); got != want {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
	if r, err := w.redactor(nil); err != nil || r.String("first-planted older-planted") != "**** ****" {
		t.Errorf("redactor: %v", err)
	}
}

// serviceWith returns a service that has secrets in its environment and its labels.
func serviceWith(variable, label string) types.ServiceConfig {
	var s types.ServiceConfig
	s.Environment = types.MappingWithEquals{"S3_SECRET": &variable, "UNSET_TOKEN": nil}
	s.Labels = types.Labels{"api_key": label}
	return s
}

// What services and containers have from elsewhere is hidden by everything that shows what they have written.
func TestHideWhatComesFromElsewhere(t *testing.T) {
	project := &types.Project{
		Services: types.Services{"worker": serviceWith("of-override", "of-label")}, DisabledServices: types.Services{"x": serviceWith("of-disabled", "")},
	}
	w := world{observed: stack.Observed{Containers: []stack.Container{{Environment: []string{"S3_SECRET=of=container", "PATH=/bin", "ALONE"}}}}}
	redactor, err := w.redactor(project)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{world: w, project: project}
	for who, hide := range map[string]func(string) string{
		"logs": redactor.String, "a run": r.redact, "a move": (&move{run: r}).redactor().String, "a look": (&sight{world: w, project: project}).redactor().String,
	} {
		if got := hide("of-override of-label of-disabled of=container /bin"); got != "**** **** **** **** /bin" {
			t.Errorf("%s shows %s", who, got)
		}
	}
	if got := w.hide("of=container"); got != "****" {
		t.Errorf("without a project %s is shown", got)
	}
}

// Our own words are hidden as far as the files can be read; the words of others are not shown where one cannot.
func TestHideWithAFileThatCannotBeRead(t *testing.T) {
	w := world{texts: map[string]string{workdir.EnvFile: "A='open\n", workdir.AppEnvFile: "TOKEN=planted-token\n"}}
	if got := w.hide("planted-token"); got != "****" {
		t.Errorf("shown as %s", got)
	}
	_, err := w.redactor(nil)
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "reading .env: ") || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %v", err)
	}
}
