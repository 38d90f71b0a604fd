package setup

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/stack"
)

const (
	mebibyte = uint64(1) << 20
	gibibyte = uint64(1) << 30

	// leastMemory is below what PostgreSQL, RabbitMQ and the Python services need to start.
	leastMemory = 1 * gibibyte
	// memoryForTransfers lets a worker run one Spark session beside them.
	memoryForTransfers = 4 * gibibyte
)

// preflight returns what forbids the install. It decides from the observation alone.
func (w world) preflight() *fault.Problems {
	p := &fault.Problems{Code: fault.Refused}
	w.checkFolder(p)
	w.checkProject(p)
	w.checkStopped(p)
	w.checkImages(p)
	w.checkSpace(p)
	w.checkBusyPorts(p)
	w.checkExternal(p)
	if w.builds != nil && w.host.OS != "linux" {
		p.Add(fmt.Sprintf("the engine runs containers of %s: it has no BuildKit, which SyncMaster's Dockerfiles need", w.host.OS), "use an engine for Linux containers")
	}
	if memory := uint64(w.host.Memory); memory < leastMemory { //nolint:gosec // the engine reports no negative size
		p.Add(fmt.Sprintf("the engine has %s of memory, SyncMaster needs at least %s", size(memory), size(leastMemory)), "")
	}
	return p
}

// checkProject refuses a project name that belongs to somebody else, and data whose keys are elsewhere.
func (w world) checkProject(p *fault.Problems) {
	for _, c := range w.observed.Containers {
		if c.WorkingDir != "" && c.WorkingDir != w.dir {
			hint := "choose another one with --project-name, or run this command with --dir " + c.WorkingDir
			if w.options.Dev {
				hint = "choose another one with --name"
			}
			p.Add(fmt.Sprintf("the project name %q is in use by containers of the folder %s", w.options.Project, c.WorkingDir), hint)
			return
		}
	}
	if w.installed && (w.state.Database != "" || w.stopped != "") {
		w.checkLost(p)
		return // the volumes are of this install: complete, or begun by a run that left its journal
	}
	if w.options.Dev {
		w.checkDevVolumes(p)
		return
	}
	for _, v := range w.observed.Volumes {
		switch v.Name {
		case w.options.Project + "_postgres_data":
			p.Add(fmt.Sprintf("the volume %s holds a database of an earlier install, and its encryption key is not in this folder", v.Name),
				"run this command with --dir and the folder of that install, or choose another --project-name; only if its data may be lost: docker volume rm "+v.Name)
		case w.options.Project + "_rabbitmq_data":
			p.Add(fmt.Sprintf("the volume %s holds a broker of an earlier install, and its password is not in this folder", v.Name),
				"run this command with --dir and the folder of that install, or choose another --project-name; only if its messages may be lost: docker volume rm "+v.Name)
		}
	}
}

// checkLost refuses where the data is gone: an empty database would be taken for it. What the user's override file says
// of the volume is not known here.
func (w world) checkLost(p *fault.Problems) {
	_, made := w.observed.Container("db")
	volume := w.options.Project + "_postgres_data"
	there := slices.ContainsFunc(w.observed.Volumes, func(v stack.Volume) bool { return v.Name == volume })
	if made || there || w.overridden || w.options.Dev || w.options.ExternalDatabase || w.state.Database == "" {
		return
	}
	p.Add(fmt.Sprintf("the volume %s is gone, and the data of this install with it", volume), w.bringBack())
}

// checkStopped refuses to go on without what everything needs where the operator has stopped it: it stays stopped.
func (w world) checkStopped(p *fault.Problems) {
	if w.options.Dev {
		return
	}
	var needed []string
	for _, service := range w.options.Infrastructure() {
		if w.leftStopped(service) && (service == "db" || len(w.startable(w.options.Services())) > 0) {
			needed = append(needed, service)
		}
	}
	if len(needed) > 0 {
		p.Add(fmt.Sprintf("%s was stopped, and init needs what it leaves stopped", strings.Join(needed, " and ")),
			fmt.Sprintf("start it: cd %s && docker compose start %s", w.dir, strings.Join(needed, " ")))
	}
}

// bringBack is how a backup comes back where the database is lost.
func (w world) bringBack() string {
	return fmt.Sprintf("bring a backup back in an empty folder: mv %s/backups FOLDER, then: syncmaster-setup backup restore --dir FOLDER; or begin anew in another folder", w.dir)
}

// checkImages refuses images that are made for another platform, or neither present nor to be had.
func (w world) checkImages(p *fault.Problems) {
	_, arch, _ := strings.Cut(w.platform(), "/")
	if published := w.release.Image(release.Server).Platforms; !w.options.Dev && !slices.Contains(published, w.platform()) {
		p.Add(fmt.Sprintf("release %s has no images for %s, only for %s", w.release, w.platform(), strings.Join(published, ", ")),
			"choose another --version, or emulate with --platform "+published[0])
		return
	}
	unpullable := map[string][]string{}
	for _, ref := range w.images() {
		if image, present := w.observed.Images[ref]; present {
			if image.Architecture != "" && image.Architecture != arch {
				p.Add(fmt.Sprintf("the image %s is present, but for %s/%s instead of %s", ref, image.OS, image.Architecture, w.platform()),
					"remove it with: docker image rm "+ref)
			}
			continue
		}
		if w.isBuilt(ref) && w.builds == nil {
			p.Add(fmt.Sprintf("the image %s, which is built from %s, is not there", ref, w.options.Source), "build it, with the same options: syncmaster-setup "+w.buildCommand())
		}
		if err := w.unpullable[ref]; err != nil {
			unpullable[fault.HintOf(err)] = append(unpullable[fault.HintOf(err)], ref)
		}
	}
	for _, hint := range slices.Sorted(maps.Keys(unpullable)) {
		refs := unpullable[hint] // one hint, one cause: told once for all images
		what := w.unpullable[refs[0]].Error()
		if len(refs) > 1 {
			what = fmt.Sprintf("%d images are neither present nor to be had (%s): %s", len(refs), strings.Join(refs, ", "), what)
		}
		p.Add(what, hint)
	}
}

// checkExternal refuses an external database that this release or this key cannot work with.
func (w world) checkExternal(p *fault.Problems) {
	if w.external == nil {
		return
	}
	if revision := w.external.facts.Revision; !w.imageMigrates() && revision > w.release.Head {
		p.Add(fmt.Sprintf("the database is at revision %s, release %s ends at %s: its data is newer", revision, w.release, w.release.Head),
			"choose a newer --version")
	}
	if recorded := w.state.Database; recorded != "" && recorded != w.external.facts.SystemIdentifier {
		p.Add("the database server is not the one that this install was made with (its system identifier differs)",
			"check --database-url, or whether the volume of the database was changed")
	}
	key, have := w.fernetKey()
	if len(w.external.tokens) > 0 && !have {
		p.Add("the database holds stored credentials, and the key that opens them was not given",
			"put it into the environment and add: --set "+fernetSetting)
	} else if have && !opensAll(key, w.external.tokens) {
		p.Add("the encryption key does not open the credentials that are stored in the database",
			"find the env file with the right key, here in .syncmaster-setup/generations or backups, or elsewhere: with a wrong one access to them is lost")
	}
}

// warnings returns what does not forbid the install.
func (w world) warnings() []string {
	var list []string
	memory := uint64(w.host.Memory) //nolint:gosec // the engine reports no negative size
	if memory > 0 && memory < memoryForTransfers && slices.Contains(w.options.Services(), "worker") {
		list = append(list, fmt.Sprintf("the engine has %s of memory; transfers run well from %s", size(memory), size(memoryForTransfers)))
	}
	for _, s := range w.asked.Set {
		if definition, has := w.release.Setting(s.Name); has && definition.Caveat != "" {
			list = append(list, strings.ToUpper(s.Name)+": "+definition.Caveat)
		}
	}
	if len(w.shadowed) > 0 {
		list = append(list, fmt.Sprintf("the environment sets %s, which beats .env when you type docker compose: unset it",
			strings.Join(w.shadowed, ", ")))
	}
	if len(w.byProxy(w.host.ProxyVariables, w.host.NoProxy)) > 0 {
		list = append(list, fmt.Sprintf("the docker client puts %s into every container: add localhost,127.0.0.1,db,rabbitmq,server to noProxy in its config.json, or health checks ask the proxy",
			strings.Join(w.host.ProxyVariables, ", ")))
	}
	if addr, err := netip.ParseAddr(w.options.Bind); err == nil && !addr.IsLoopback() && w.options.Auth == "dummy" {
		list = append(list, "the dummy login accepts any name with any password, and the server is published on "+w.options.Bind)
	}
	return list
}

// decidePorts returns the host ports: those recorded, those asked for, otherwise the default or the next free one.
// Each port that moved gives a note.
func (w world) decidePorts() (config.Ports, []string) {
	var notes []string
	ports := w.fixedPorts()
	taken := map[uint16]bool{ports.Server: true, ports.UI: true, ports.Database: true, ports.Broker: true}
	for _, p := range w.published(&ports) {
		if *p.port != 0 {
			continue
		}
		free := p.normal
		for taken[free] || w.busy[portKey{p.address, free}] != "" {
			free++
		}
		if free != p.normal {
			reason := w.busy[portKey{p.address, p.normal}]
			if reason == "" {
				reason = "another service of this install"
			}
			notes = append(notes, fmt.Sprintf("port %d is held by %s: the %s gets %d", p.normal, reason, p.what, free))
		}
		*p.port, taken[free] = free, true
	}
	return ports, notes
}

// fixedPorts are those that do not move: asked for now, otherwise those in the env file of an install.
func (w world) fixedPorts() config.Ports {
	ports := config.Options{Ports: portsOf(w.current().Env)}.Merge(w.asked).Ports
	if w.options.Dev { // whoever was faster may keep it: `dev env` tells the new one
		for _, p := range w.published(&ports) {
			if w.busy[portKey{p.address, *p.port}] != "" {
				*p.port = 0
			}
		}
	}
	return ports
}

// checkBusyPorts refuses ports that were asked for or recorded and are held by somebody else.
func (w world) checkBusyPorts(p *fault.Problems) {
	ports := w.fixedPorts()
	for _, b := range w.published(&ports) {
		if *b.port == 0 {
			continue
		}
		if holder := w.busy[portKey{b.address, *b.port}]; holder != "" {
			p.Add(fmt.Sprintf("port %d of the %s is held by %s", *b.port, b.what, holder), "free it, or choose another one with "+b.flag)
		}
	}
}

// publication is one host port of the install.
type publication struct {
	what, flag string
	address    string
	normal     uint16
	port       *uint16
}

// published lists the ports that this install publishes; port points into ports.
func (w world) published(ports *config.Ports) []publication {
	d := config.DefaultPorts
	var list []publication
	services := w.services()
	for _, p := range []struct {
		service string
		publication
	}{
		{"server", publication{"server", "--server-port", w.options.Bind, d.Server, &ports.Server}},
		{"frontend", publication{"UI", "--ui-port", w.options.Bind, d.UI, &ports.UI}},
		{"db", publication{"database", "--db-port", loopback, d.Database, &ports.Database}},
		{"rabbitmq", publication{"broker", "--broker-port", loopback, d.Broker, &ports.Broker}},
	} {
		if slices.Contains(services, p.service) {
			list = append(list, p.publication)
		}
	}
	return list
}

// busyPorts finds who holds the ports that this install wants, and those that a default may move to.
func (s *Setup) busyPorts(w *world) map[portKey]string {
	busy := map[portKey]string{}
	ports := w.fixedPorts()
	for _, p := range w.published(&ports) {
		first, count := p.normal, uint16(portsTried)
		if *p.port != 0 && !w.options.Dev {
			first, count = *p.port, 1
		}
		for n := first; n < first+count; n++ {
			if holder := s.holder(w, p.address, n); holder != "" {
				busy[portKey{p.address, n}] = holder
			}
		}
	}
	return busy
}

// holder names who holds a port, empty where it is free or this project's own.
func (s *Setup) holder(w *world, address string, number uint16) string {
	for _, held := range w.observed.Ports {
		if held.Number != number || !overlap(held.Address, address) {
			continue
		}
		if held.Project == w.options.Project {
			return ""
		}
		return "container " + held.Container
	}
	if !w.host.Local { // the ports are on another machine: its engine will say
		return ""
	}
	free, holder := s.System.PortFree(address, number)
	if free || w.beingStarted(number, holder) {
		return ""
	}
	if holder == "" {
		return "another program"
	}
	return holder
}

// beingStarted reports whether the engine itself holds a port for a container of this project that it is just starting:
// after a killed run the container is not listed as running yet.
func (w world) beingStarted(number uint16, holder string) bool {
	byEngine := holder == "" || strings.HasPrefix(holder, "docker-proxy") || strings.HasPrefix(holder, "rootlesskit")
	return byEngine && slices.ContainsFunc(w.observed.Containers, func(c stack.Container) bool {
		return c.State != "exited" && slices.Contains(c.HostPorts, number)
	})
}

// overlap reports whether two host addresses cannot both be bound with one port.
func overlap(a, b string) bool {
	left, errLeft := netip.ParseAddr(a)
	right, errRight := netip.ParseAddr(b)
	if err := errors.Join(errLeft, errRight); err != nil {
		return true // no address means all of them
	}
	return left == right || left.IsUnspecified() || right.IsUnspecified()
}

func size(n uint64) string { return report.Bytes(int64(n)) } //nolint:gosec // no disk is that large
