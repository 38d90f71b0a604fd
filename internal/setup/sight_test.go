package setup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// healthySight is an install where nothing is wrong.
func healthySight(t *testing.T) *sight {
	t.Helper()
	dir, err := workdir.At(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := release.Lookup("0.3.2")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	v := &sight{setup: &Setup{Dir: dir}, at: now, engine: struct{ Engine }{}, answers: map[string]error{}}
	v.world = world{
		dir: "/srv/sm", installed: true, release: r, host: Host{Version: "29.0", OS: "linux", Arch: "amd64", CPUs: 2, Memory: 8 << 30, Local: true},
		state:   workdir.State{Phase: workdir.Installed, Version: "0.3.2", Project: "sm", Database: "1"},
		options: config.Options{Project: "sm", Queues: []string{"1-etl"}}.Defaults("0.3.2"),
		texts:   map[string]string{workdir.ComposeFile: "services: {}\n"}, last: map[string]string{workdir.ComposeFile: "services: {}\n"}, lastGen: 1,
	}
	v.disk = map[string]uint64{"folder": 100 << 30, "images": 100 << 30}
	v.project = &types.Project{Services: types.Services{}}
	v.observed.Images = map[string]stack.Image{}
	v.hashes = map[string]string{}
	for _, name := range v.world.services() {
		ref := v.image(name)
		v.observed.Images[ref] = stack.Image{ID: "sha256:" + name}
		v.observed.Containers = append(v.observed.Containers, stack.Container{
			ID: name, Name: "sm-" + name + "-1", Service: name, State: "running", StartedAt: now.Add(-time.Hour), ConfigHash: "hash",
			Image: ref, ImageID: "sha256:" + name, Logs: stack.LogFile{Driver: "json-file", MaxSize: "10m"},
		})
		v.hashes[name] = "hash"
		v.answers[name] = nil
	}
	v.database = databaseSight{facts: DatabaseFacts{SystemIdentifier: "1", Revision: "0012"}, queues: []Queue{{Name: "etl", Slug: "1-etl"}}}
	v.broker.seen = probe.Broker{Version: "4.2.0", Queues: map[string]probe.Queue{"1-etl": {Consumers: 1}}}
	v.settings = map[string]string{fernetSetting: "bWFya2VyLW9mLWEtcGxhbnRlZC1mZXJuZXQta2V5LTE="}
	v.redaction = v.redactor()
	return v
}

// saying is an engine whose containers have all said the same.
type saying struct {
	Engine
	text string
}

func (s saying) Logs(context.Context, string, int) (string, error) { return s.text, nil }

// TestHintOfAWait: init says what status would say next, and then to go on; an upgrade, which replaces the container, only
// what to mend.
func TestHintOfAWait(t *testing.T) {
	dir, err := workdir.At(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Setup: &Setup{Dir: dir, Now: time.Now}, world: world{dir: "/srv/sm"}, engine: saying{text: "last words\n"}}
	for _, tc := range []struct {
		container     stack.Container
		init, upgrade string
	}{
		{
			stack.Container{Service: "worker", State: "exited", OOMKilled: true},
			"cd /srv/sm && docker compose up --detach --no-deps worker    (give the service or the host more memory first)",
			"give the service or the host more memory; what it said before is in " + dir.Path(),
		},
		{
			stack.Container{Service: "worker", State: "restarting", ExitCode: 2},
			"cd /srv/sm && docker compose logs --tail 50 worker    (when the cause is mended: syncmaster-setup init --dir /srv/sm)",
			"what it said before is in " + dir.Path(),
		},
		{
			stack.Container{Service: "db", State: "paused"},
			"cd /srv/sm && docker compose unpause db    (when the cause is mended: syncmaster-setup init --dir /srv/sm)",
			"what it said before is in " + dir.Path(),
		},
	} {
		verdict := stack.Judge(stack.Seen{Service: tc.container.Service, Container: &tc.container, Watched: true})
		for vanishing, want := range map[bool]string{false: tc.init, true: tc.upgrade} {
			r.vanishing = vanishing
			err := r.withLogs(t.Context(), tc.container, errors.New(verdict.Reason), verdict)
			if !strings.Contains(err.Error(), verdict.Reason+lastLinesMark+"\n    last words") || !strings.HasPrefix(fault.HintOf(err), want) {
				t.Errorf("%v\n%s\nwant %s", err, fault.HintOf(err), want)
			}
		}
	}
}

func TestStatusOfAHealthyInstall(t *testing.T) {
	v := healthySight(t)
	v.judge()
	st := v.status()
	if !st.Healthy || len(st.Problems)+len(st.Notes) != 0 || len(st.Services) != 6 {
		t.Errorf("%+v", st)
	}
}

func TestStatusTellsWhatIsWrong(t *testing.T) {
	container := func(v *sight, name string) *stack.Container {
		i := slices.IndexFunc(v.observed.Containers, func(c stack.Container) bool { return c.Service == name })
		return &v.observed.Containers[i]
	}
	tests := []struct {
		name    string
		change  func(*sight)
		healthy bool
		what    string
		next    string
	}{
		{"stopped", func(v *sight) { container(v, "server").State = "exited" }, false, "server ended", "cd /srv/sm && docker compose start server"},
		{"unanswered", func(v *sight) { v.answers["server"] = errors.New("refused") }, false, "server does not answer", "docker compose logs"},
		{"no engine", func(v *sight) { v.engine, v.engineErr = nil, errors.New("no engine") }, false, "no engine", ""},
		{"pending", func(v *sight) { v.database.facts.Revision = "0010" }, false, "0010", "syncmaster-setup init --dir /srv/sm"},
		{"a newer schema", func(v *sight) { v.database.facts.Revision = "0013" }, false, "is at 0013, newer than release 0.3.2 knows",
			"cd /srv/sm && docker compose stop server scheduler worker && syncmaster-setup migrate downgrade --dir /srv/sm 0012 && docker compose start server scheduler worker"},
		{"starting", func(v *sight) {
			container(v, "server").StartedAt, v.answers["server"] = v.at, errors.New("refused")
		}, false, "server does not answer yet", "syncmaster-setup status --dir /srv/sm --watch"},
		{"out of memory", func(v *sight) { container(v, "server").State, container(v, "server").OOMKilled = "exited", true }, false, "server ran out of memory",
			"cd /srv/sm && docker compose up --detach --no-deps server    (give the service or the host more memory first)"},
		{"a full disk", func(v *sight) {
			container(v, "db").State = "restarting"
			v.engine = saying{text: "PANIC:  could not write to file: No space left on device\n"}
		}, false, "db keeps restarting", "free space on the disk where db keeps its data (`docker volume inspect`), then: cd /srv/sm && docker compose restart db"},
		{"a queue that the worker does not know yet", func(v *sight) {
			v.options.Queues = []string{"1-etl", "2-new"}
			v.hashes["worker"] = "other"
			v.database.queues = append(v.database.queues, Queue{Slug: "2-new", Waiting: 1})
		}, false, "1 transfer waits in the queue 2-new", "syncmaster-setup init --dir /srv/sm"},
		{"another database", func(v *sight) { v.database.facts.SystemIdentifier = "2" }, false, "not the one", "volume"},
		{"interrupted", func(v *sight) { v.stopped = "migrate" }, false, "interrupted at: migrate", "init"},
		{"transfers wait", func(v *sight) {
			v.database.queues[0].Waiting = 2
			v.broker.seen.Queues = nil
		}, false, "2 transfers wait in the queue 1-etl", "worker"},
		{"a queue without a worker", func(v *sight) { v.database.queues = append(v.database.queues, Queue{Slug: "2-new"}) }, true, "2-new", "init --dir /srv/sm --queue 1-etl,2-new"},
		{"stranded", func(v *sight) { v.database.runs = []Run{{ID: 7, Transfer: "a\x1bb", Queue: "gone"}} }, true, "run 7 of a?b", ""},
		{"a backup that cannot be read", func(v *sight) {
			v.backups.Unreadable = []backup.Unreadable{{Name: "20260501T120000Z-backup", Reason: "it has no manifest.json"}}
		}, true, "20260501T120000Z-backup cannot be read: it has no manifest.json", "backup list --dir /srv/sm"},
		{"edited compose file", func(v *sight) { v.texts[workdir.ComposeFile] = "services: {a: {}}" }, true, "edited by hand", "cp .syncmaster-setup/generations/0001"},
		{"changed settings", func(v *sight) { v.hashes["worker"] = "other" }, true, "what runs in: worker", "init"},
	}
	var all advice
	for _, tt := range tests {
		v := healthySight(t)
		tt.change(v)
		v.judge()
		if _, says := v.engine.(saying); says {
			v.readLogs(t.Context())
		}
		st := v.status()
		remarks := slices.Concat(st.Problems, st.Notes)
		for _, r := range remarks {
			all.add("status", tt.name, "", r.Next)
		}
		found := slices.ContainsFunc(remarks, func(r Remark) bool {
			return strings.Contains(r.What, tt.what) && strings.Contains(r.Next, tt.next)
		})
		if st.Healthy != tt.healthy || !found {
			t.Errorf("%s: healthy %v, %+v", tt.name, st.Healthy, remarks)
		}
	}
	all.compare(t, "status.txt")
}

// TestAskEnds: a question that heeds no context does not keep its asker.
func TestAskEnds(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, func(context.Context) (int, error) { <-hang; return 1, nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	began := time.Now()
	if _, err := ask(t.Context(), func(context.Context) (int, error) { <-hang; return 1, nil }); err == nil || !strings.Contains(err.Error(), "no answer within") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 2*askLimit {
		t.Errorf("took %s", took)
	}
}

// sizes is an engine that has counted one of two volumes when its time is over.
type sizes struct {
	Engine
	limit time.Duration
}

func (e *sizes) VolumeBytes(ctx context.Context, names []string) (map[string]int64, error) {
	deadline, _ := ctx.Deadline()
	e.limit = time.Until(deadline)
	<-ctx.Done()
	return map[string]int64{names[0]: 7}, ctx.Err()
}

// A size that takes long to count is left out before a look at a healthy stack becomes slow.
func TestSizesAreNotWaitedFor(t *testing.T) {
	v := healthySight(t)
	engine := &sizes{}
	v.engine, v.observed.Volumes = engine, []stack.Volume{{Name: "one"}, {Name: "two"}}
	v.askServices(t.Context(), false)
	if len(v.volumes) != 1 || v.volumes["one"] != 7 {
		t.Errorf("the sizes are %v", v.volumes)
	}
	if engine.limit <= 0 || engine.limit > sizeLimit {
		t.Errorf("they may take %s", engine.limit)
	}
}

func TestSecretsOfASight(t *testing.T) {
	v := healthySight(t)
	v.texts[workdir.EnvFile] = "POSTGRES_PASSWORD='pg pass'\nMY_TOKEN=token-of-mine\nVERSION=0.3.2\n"
	v.texts[workdir.AppEnvFile] = "SYNCMASTER__BROKER__URL=amqp://u:br%40ker@rabbitmq:5672\nPROXY=http://me:proxy-pass@host\n"
	word := "override-secret"
	worker := types.ServiceConfig{}
	worker.Environment = types.MappingWithEquals{"AWS_SECRET_ACCESS_KEY": &word}
	v.project.Services["worker"] = worker
	v.redaction = v.redactor()
	for _, text := range []string{"pg pass", "token-of-mine", "br%40ker", "br@ker", "proxy-pass", word} {
		if got := v.clean("x " + text + " y"); strings.Contains(got, text) {
			t.Errorf("%q is shown: %q", text, got)
		}
	}
	if got := v.clean("release 0.3.2"); got != "release 0.3.2" {
		t.Errorf("%q", got)
	}
}
