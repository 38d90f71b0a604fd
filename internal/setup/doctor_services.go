package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

func checkDatabase(v *sight) (Level, string, string) {
	switch {
	case v.database.err == nil:
		return Pass, "", ""
	case v.engine == nil && !v.options.ExternalDatabase:
		return v.noEngine()
	case v.engine != nil && !v.host.Local && !v.options.ExternalDatabase:
		return Missing, v.words(v.database.err), ""
	}
	next := fault.HintOf(v.database.err)
	if one, found := v.unwell("db"); found {
		next = v.step(one)
	}
	return Fail, v.words(v.database.err), next
}

func checkDatabaseIdentity(v *sight) (Level, string, string) {
	if v.database.err != nil {
		return Missing, "the database does not answer", ""
	}
	if err := v.identity(); err != nil {
		return Fail, err.Error(), fault.HintOf(err)
	}
	return Pass, "", ""
}

func checkRevision(v *sight) (Level, string, string) {
	revision, head := v.database.facts.Revision, v.release.Head
	switch {
	case v.database.err != nil:
		return Missing, "the database does not answer", ""
	case v.imageMigrates():
		return Pass, "revision " + orBase(revision) + "; the release's own image knows the newest", ""
	case len(pending(revision, head)) > 0:
		return Fail, fmt.Sprintf("the schema is at %s, release %s needs %s", orBase(revision), v.release, head), v.initially()
	case revision > head:
		return Fail, fmt.Sprintf("the schema is at %s, newer than release %s knows", revision, v.release), v.schemaBack()
	}
	return Pass, "revision " + revision, ""
}

func checkDrift(v *sight) (Level, string, string) {
	switch {
	case v.database.err != nil:
		return Missing, "the database does not answer", ""
	case v.database.driftErr != nil:
		return Missing, v.words(v.database.driftErr), fault.HintOf(v.database.driftErr)
	case len(v.database.differences) > 0:
		return Warn, strings.Join(v.database.differences, "\n"), v.inFolder("syncmaster-setup migrate check")
	}
	return Pass, "", ""
}

func checkBroker(v *sight) (Level, string, string) {
	switch {
	case v.broker.err == nil:
		return Pass, "", ""
	case v.engine == nil && !v.options.ExternalBroker:
		return v.noEngine()
	case v.engine != nil && !v.host.Local && !v.options.ExternalBroker:
		return Missing, v.words(v.broker.err), ""
	}
	next := "check " + brokerURL + " in " + v.setup.Dir.File(workdir.AppEnvFile)
	if one, found := v.unwell("rabbitmq"); found {
		next = v.step(one)
	}
	return Fail, v.words(v.broker.err), next
}

// lastBroker is the newest RabbitMQ that Celery works with (contract.md, section 5).
const lastBroker = "4.2"

func checkBrokerVersion(v *sight) (Level, string, string) {
	version := v.broker.seen.Version
	if v.broker.err != nil || version == "" {
		return Missing, "the broker does not tell its version", ""
	}
	if newer(version, lastBroker) {
		for _, queue := range v.broker.seen.Queues {
			if queue.Consumers > 0 {
				return Pass, fmt.Sprintf("RabbitMQ %s, which is set to permit the queues that Celery declares: a worker has declared its own", version), ""
			}
		}
		return Fail, fmt.Sprintf("RabbitMQ %s refuses the queues that Celery declares for its workers; %s is the newest that works", version, lastBroker),
			"use the image rabbitmq:" + lastBroker + ", or set deprecated_features.permit.transient_nonexcl_queues = true in the broker's configuration, restart it, then the worker"
	}
	return Pass, "RabbitMQ " + version, ""
}

// newer reports whether a version's first two numbers come after another's. One that cannot be read does not.
func newer(version, than string) bool {
	parts, bound := strings.Split(version, "."), strings.Split(than, ".")
	for i, b := range bound {
		if i >= len(parts) {
			return false
		}
		left, err := strconv.Atoi(parts[i])
		right, boundErr := strconv.Atoi(b)
		if err != nil || boundErr != nil || left != right {
			return err == nil && boundErr == nil && left > right
		}
	}
	return false
}

func checkBrokerHostname(v *sight) (Level, string, string) {
	switch {
	case v.options.ExternalBroker:
		return Pass, "", ""
	case v.project == nil:
		return v.noEngine()
	case v.project.Services["rabbitmq"].Hostname == "":
		return Fail, "RabbitMQ has no fixed host name, after which its data is named: a new container starts with an empty broker, and queued transfers wait for ever",
			"give the service rabbitmq the line: hostname: rabbitmq    (" + v.composeBack() + ")"
	}
	return Pass, "", ""
}

// unwell returns a service that needs something, where it is one.
func (v *sight) unwell(name string) (serviceSight, bool) {
	for _, one := range v.services {
		if one.name == name && one.verdict.Next != "" {
			return one, true
		}
	}
	return serviceSight{}, false
}

func checkServices(v *sight) (Level, string, string) {
	if v.engine == nil {
		return v.noEngine()
	}
	sick := slices.DeleteFunc(slices.Clone(v.services), func(one serviceSight) bool { return one.verdict.Well() })
	slices.SortStableFunc(sick, func(a, b serviceSight) int { return cmp.Compare(patience(a), patience(b)) })
	level, next := Pass, ""
	var lines []string
	for i, one := range sick {
		own := v.meanwhile(v.step(one))
		if i == 0 {
			level, next = Fail, own
		}
		line := fmt.Sprintf("%s: %s", one.verdict.State, one.verdict.Reason)
		if logs := strings.TrimRight(one.logs, "\n"); logs != "" {
			line += "; its last lines:\n" + indent(logs)
		}
		if len(sick) > 1 {
			line += "\n→ " + own
		}
		lines = append(lines, line)
	}
	if len(sick) > 0 && patience(sick[0]) > 0 { // all the others start, too
		level = Warn
	}
	return level, strings.Join(lines, "\n"), next
}

// patience is 1 for a service that is only starting, 0 for one that needs something.
func patience(one serviceSight) int {
	if one.verdict.State == stack.Starting {
		return 1
	}
	return 0
}

// step is the next step for a service.
func (v *sight) step(one serviceSight) string {
	if v.interrupted() { // containers may be half replaced: what goes on knows which
		return v.afterInterruption()
	}
	if one.diskFull {
		return "free space on the disk where " + one.name + " keeps its data (`docker volume inspect`), then: " + v.inFolder("docker compose restart "+one.name)
	}
	return v.next(one.verdict)
}

// next is the next step of a verdict, with what has to be done before it.
func (w world) next(verdict stack.Verdict) string {
	if verdict.Mend() == "" {
		return w.inFolder(verdict.Next)
	}
	return w.inFolder(verdict.Next) + "    (" + verdict.Mend() + " first)"
}

func checkSchedulers(v *sight) (Level, string, string) {
	names := v.schedulers()
	switch {
	case v.engine == nil:
		return v.noEngine()
	case v.peersErr != nil:
		return Missing, v.words(v.peersErr), ""
	case len(names) > 1:
		keep := names[0]
		for _, p := range v.peers { // the one that Compose knows, where it runs
			if c, exists := v.observed.Container("scheduler"); exists && p.Name == c.Name {
				keep = p.Name
			}
		}
		extra := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == keep })
		return Fail, fmt.Sprintf("%d schedulers run, so that each transfer is started as often: %s", len(names), strings.Join(names, ", ")),
			"docker rm --force " + strings.Join(extra, " ") + "    (" + keep + " stays)"
	}
	return Pass, "", ""
}

func checkUnserved(v *sight) (Level, string, string) {
	if v.database.err != nil || v.broker.err != nil {
		return Missing, "database or broker does not answer", ""
	}
	level, next := Pass, ""
	var lines []string
	for _, q := range v.queueStatus() {
		if q.Workers > 0 {
			continue
		}
		line := fmt.Sprintf("no worker serves the queue %s", q.Slug)
		if level == Pass {
			level = Warn
		}
		if waits := max(q.Messages, q.Waiting); waits > 0 {
			level = Fail
			line += ": " + waiting(waits) + " there"
		}
		if next == "" {
			next = v.serve(q.Slug)
		}
		lines = append(lines, line)
	}
	return level, strings.Join(lines, "\n"), next
}

// checkWorkerQueues reads the queues from the worker's own command.
func checkWorkerQueues(v *sight) (Level, string, string) {
	c, exists := v.observed.Container("worker")
	switch {
	case v.engine == nil:
		return v.noEngine()
	case !exists:
		return Pass, "there is no worker", ""
	case v.database.err != nil:
		return Missing, "the database does not answer", ""
	}
	served := queuesOf(c.Command)
	if len(served) == 0 {
		return Fail, "the worker names no queue, and listens on one that SyncMaster never uses", v.inFolder("syncmaster-setup init --queue SLUG")
	}
	var unknown, known []string
	for _, q := range v.database.queues {
		known = append(known, q.Slug)
	}
	for _, slug := range served {
		if !slices.Contains(known, slug) {
			unknown = append(unknown, printable(slug))
		}
	}
	if len(unknown) == 0 {
		return Pass, "", ""
	}
	next := "create the queue in the UI; its slug is shown with it"
	if len(known) > 0 {
		next = "queues that exist: " + printable(strings.Join(known, ", ")) + "; choose: " + v.inFolder("syncmaster-setup init --queue SLUG")
	}
	return Warn, "the worker listens on what is no queue: " + strings.Join(unknown, ", "), next
}

// queuesOf reads the queues from the arguments of a worker: -Q a,b or --queues a,b or --queues=a,b.
func queuesOf(command []string) []string {
	list := ""
	for i, word := range command {
		switch option, value, joined := strings.Cut(word, "="); {
		case (option == "--queues" || option == "-Q") && joined:
			list = value
		case (word == "--queues" || word == "-Q") && i+1 < len(command):
			list = command[i+1]
		case strings.HasPrefix(word, "-Q"):
			list = strings.TrimPrefix(word, "-Q")
		}
	}
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
}

func checkStranded(v *sight) (Level, string, string) {
	runs := v.runStatus()
	lines := strandedLines(runs)
	switch {
	case v.database.err != nil || v.broker.err != nil:
		return Missing, "database or broker does not answer", ""
	case len(lines) > 0:
		return Warn, strings.Join(lines, "\n"), v.afterStranding(runs)
	}
	return Pass, "", ""
}
