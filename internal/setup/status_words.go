package setup

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// problems is what keeps the install from being healthy, each with what to type next.
func (v *sight) problems(st Status) []Remark {
	list := []Remark{}
	add := func(what, next string) { list = append(list, Remark{What: what, Next: next}) }
	if v.openErr != nil {
		add(v.openErr.Error(), fault.HintOf(v.openErr))
	}
	if v.interrupted() {
		add(v.interruption(), v.afterInterruption())
	} else if v.state.Phase != workdir.Installed {
		add("the install is not complete", v.initially())
	}
	if v.engineErr != nil {
		add(v.words(v.engineErr), fault.HintOf(v.engineErr))
	}
	if v.projectErr != nil {
		add(v.words(v.projectErr), fault.HintOf(v.projectErr))
	}
	for _, one := range v.services {
		if one.verdict.Reason != "" {
			list = append(list, Remark{one.verdict.Reason, v.step(one), strings.TrimRight(one.logs, "\n")})
		}
	}
	if v.options.ExternalDatabase && v.database.err != nil {
		add("the database does not answer: "+v.words(v.database.err), fault.HintOf(v.database.err))
	}
	if v.options.ExternalBroker && v.broker.err != nil {
		add("the broker does not answer: "+v.words(v.broker.err), "check "+brokerURL+" in "+v.setup.Dir.File(workdir.AppEnvFile))
	}
	if err := v.identity(); err != nil {
		add(err.Error(), fault.HintOf(err))
	}
	if level, what, next := checkStoredKey(v); level == Fail && v.database.err == nil {
		add(what, next)
	}
	if n := len(st.Database.Pending); n > 0 {
		add(fmt.Sprintf("the schema of the database is at %s, release %s needs %s", orBase(st.Database.Revision), v.release, v.release.Head),
			v.initially())
	}
	if revision := st.Database.Revision; st.Database.Head != "" && revision > st.Database.Head {
		add(fmt.Sprintf("the schema of the database is at %s, newer than release %s knows", revision, v.release), v.schemaBack())
	}
	for _, q := range st.Queues {
		if waits := max(q.Messages, q.Waiting); q.Known && q.Workers == 0 && waits > 0 {
			add(fmt.Sprintf("%s in the queue %s, which no worker serves", waiting(waits), q.Slug), v.serve(q.Slug))
		}
	}
	return list
}

// notes is what else should be known.
func (v *sight) notes(st Status) []Remark {
	list := []Remark{}
	add := func(what, next string) { list = append(list, Remark{What: what, Next: next}) }
	for _, q := range st.Queues {
		if q.Known && q.Workers == 0 && max(q.Messages, q.Waiting) == 0 {
			add(fmt.Sprintf("no worker serves the queue %s: its transfers would wait for ever", q.Slug), v.serve(q.Slug))
		}
	}
	if lines := strandedLines(st.Transfers); len(lines) > 0 {
		add(strings.Join(lines, "\n"), v.afterStranding(st.Transfers))
	}
	if v.editedCompose() {
		add(workdir.ComposeFile+" was edited by hand; an upgrade will refuse it", v.composeBack())
	}
	for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile} {
		if v.last[name] != "" && v.texts[name] != v.last[name] {
			add(name+" was edited since it was written", v.inFolder("syncmaster-setup doctor"))
		}
	}
	for _, u := range v.backups.Unreadable {
		add(fmt.Sprintf("the backup %s cannot be read: %s", printable(u.Name), u.Reason), v.inFolder("syncmaster-setup backup list"))
	}
	if drifted := v.drifted(); len(drifted) > 0 {
		add(fmt.Sprintf("the files ask for something else than what runs in: %s", strings.Join(drifted, ", ")), v.initially())
	}
	return list
}

// interruption says what has not come to its end.
func (v *sight) interruption() string {
	operation := "a run"
	if v.open != nil && v.open.Operation != "" {
		operation = v.open.Operation
	}
	return operation + " was interrupted at: " + v.stopped
}

// afterInterruption is how it is brought to its end.
func (v *sight) afterInterruption() string {
	if v.open == nil || !slices.Contains(moves, v.open.Operation) {
		return v.initially()
	}
	return v.inFolder("syncmaster-setup resume") + "    (or go back: " + v.inFolder("syncmaster-setup abort") + ")"
}

// identity reports a database that is not the one of this install.
func (v *sight) identity() error {
	if v.database.err != nil {
		return nil
	}
	return CheckIdentity(v.state.Database, v.database.facts.SystemIdentifier)
}

// editedCompose reports whether the Compose file in the folder is not the one that was written.
func (v *sight) editedCompose() bool {
	written := v.last[workdir.ComposeFile]
	return written != "" && v.texts[workdir.ComposeFile] != written
}

// composeBack is the way back to the Compose file that was written.
func (v *sight) composeBack() string {
	return v.inFolder(fmt.Sprintf("cp %s/generations/%04d/%s %s    (after moving your changes to docker-compose.override.yml)",
		workdir.StateDir, v.lastGen, workdir.ComposeFile, workdir.ComposeFile))
}

// schemaBack is how a schema that is newer than the release comes to it: nobody may work with the database meanwhile.
func (v *sight) schemaBack() string {
	back := "syncmaster-setup migrate downgrade " + v.release.Head
	const remark = "    (where that deletes rows, it takes a backup and asks; or go on to a release that knows the schema: syncmaster-setup upgrade)"
	var alive []string
	for _, service := range writers {
		if c, exists := v.observed.Container(service); exists && c.Alive() {
			alive = append(alive, service)
		}
	}
	if len(alive) == 0 {
		return v.inFolder(back) + remark
	}
	names := strings.Join(alive, " ")
	return v.inFolder("docker compose stop "+names+" && "+v.inFolder(back)+" && docker compose start "+names) + remark
}

// drifted returns the services whose container is not what Compose would make now.
func (v *sight) drifted() []string {
	var names []string
	for _, c := range v.observed.Containers {
		hash, defined := v.hashes[c.Service]
		image, present := v.observed.Images[c.Image]
		switch {
		case !defined && v.hashes != nil && !slices.Contains(slices.Collect(maps.Keys(v.project.DisabledServices)), c.Service):
			names = append(names, c.Service+" (in no file)")
		case defined && hash != c.ConfigHash:
			names = append(names, c.Service)
		case defined && present && image.ID != c.ImageID:
			names = append(names, c.Service+" (newer image)")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// serve is how a queue gets a worker. init replaces the list of queues, so those served now are named with it.
func (v *sight) serve(slug string) string {
	queues := v.options.Queues
	if !slices.Contains(queues, slug) {
		queues = append(slices.Clone(queues), slug)
	} else if slices.Contains(v.drifted(), "worker") { // it was made before .env named the queue
		return v.initially()
	} else if v.runs("worker") {
		return v.inFolder("docker compose logs --tail 50 worker")
	} else {
		return v.inFolder("docker compose start worker")
	}
	profiles := ""
	if !slices.Contains(v.options.Profiles, "all") && !slices.Contains(v.options.Profiles, "worker") {
		profiles = " --profile " + strings.Join(append(slices.Clone(v.options.Profiles), "worker"), ",")
	}
	return v.inFolder("syncmaster-setup init" + profiles + " --queue " + strings.Join(queues, ","))
}

// portsOfService are the host ports that a running container holds, with their addresses.
func (v *sight) portsOfService(c *stack.Container) []string {
	var list []string
	for _, p := range v.observed.Ports {
		if p.Container == c.Name {
			list = append(list, net.JoinHostPort(p.Address, strconv.Itoa(int(p.Number))))
		}
	}
	return list
}

// digestOf is the digest by which a registry knows an image, otherwise the image's own id.
func digestOf(image stack.Image, id string) string {
	if image.ID == id && len(image.RepoDigests) > 0 {
		if _, digest, ok := strings.Cut(image.RepoDigests[0], "@"); ok {
			return digest
		}
	}
	return id
}

// pending lists the revisions after one up to another; they are numbered from 0001 on.
func pending(revision, head string) []string {
	from, err := strconv.Atoi("0" + revision)
	to, headErr := strconv.Atoi(head)
	if err != nil || headErr != nil {
		return nil
	}
	var list []string
	for n := from + 1; n <= to; n++ {
		list = append(list, fmt.Sprintf("%04d", n))
	}
	return list
}

func orBase(revision string) string {
	if revision == "" {
		return "no revision"
	}
	return revision
}

func waiting(n int) string {
	if n == 1 {
		return "1 transfer waits"
	}
	return fmt.Sprintf("%d transfers wait", n)
}

// printable is a name that users have given, fit for a terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, name)
}
