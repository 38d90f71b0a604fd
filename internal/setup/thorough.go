package setup

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
)

// thorough is what doctor looks at beside what status does.
type thorough struct {
	peers    []stack.Peer
	peersErr error
	loose    []string
	looseErr error
	logBytes map[string]int64 // by service, where the file can be seen
	held     []string         // ports of this install that others hold
	configs  []configFile     // that services read

	noStore   string     // host of the enabled HWM store, where nobody knows it
	dataDisks []dataDisk // where database and broker keep their data
	goodKey   string     // file whose key opens the stored credentials, where the present one does not
}

func (v *sight) lookThoroughly(ctx context.Context) {
	v.loose, v.looseErr = v.setup.Dir.Loose()
	v.disk = v.setup.freeSpace(v.host)
	v.writable = v.setup.Dir.Writable()
	v.readConfigs()
	if v.engine == nil {
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		v.peers, v.peersErr = ask(ctx, func(ctx context.Context) ([]stack.Peer, error) { return v.engine.Peers(ctx, v.options.Project) })
	})
	asking.Wait()
	v.findStore(ctx)
	if v.host.Local {
		v.measureLogs()
		v.dataDisks = v.setup.dataDisks(v.project, v.observed, v.options.Infrastructure()...)
	}
	v.findHolders()
}

// measureLogs reads the size of the files that the engine keeps for the containers. Only root may look there.
func (v *sight) measureLogs() {
	v.logBytes = map[string]int64{}
	for _, c := range v.observed.Containers {
		if c.Logs.Path == "" {
			continue
		}
		if size, err := v.setup.System.FileBytes(c.Logs.Path); err == nil {
			v.logBytes[c.Service] += size
		}
	}
}

// findStore looks for the host of the HWM store among the containers that share a network with the worker, then where the
// engine's own name server looks for it. A worker with name servers of its own is not asked for.
func (v *sight) findStore(ctx context.Context) {
	host := release.HWMHost(v.effective(release.Worker))
	_, err := netip.ParseAddr(host)
	if v.project == nil || host == "" || err == nil || !v.host.Local {
		return
	}
	worker, enabled := v.project.Services["worker"]
	_, given := worker.ExtraHosts[host]
	if !enabled || given || len(worker.DNS) > 0 {
		return
	}
	for name, service := range v.project.Services {
		names := []string{name, service.ContainerName}
		for _, network := range service.Networks {
			if network != nil {
				names = append(names, network.Aliases...)
			}
		}
		if slices.Contains(names, host) {
			return
		}
	}
	if slices.ContainsFunc(v.peers, func(p stack.Peer) bool { return p.Name == host || p.Service == host }) {
		return
	}
	unknown, err := ask(ctx, func(ctx context.Context) (bool, error) { return v.setup.System.NoSuchHost(ctx, host), nil })
	if err == nil && unknown {
		v.noStore = host
	}
}

// findHolders names who holds a port of a service that does not run.
func (v *sight) findHolders() {
	ports := v.fixedPorts()
	owners := map[string]string{"server": "server", "UI": "frontend", "database": "db", "broker": "rabbitmq"}
	for _, p := range v.published(&ports) {
		if *p.port == 0 || v.runs(owners[p.what]) {
			continue
		}
		if holder := v.setup.holder(&v.world, p.address, *p.port); holder != "" {
			v.held = append(v.held, fmt.Sprintf("port %d of the %s is held by %s", *p.port, p.what, holder))
		}
	}
}

// schedulers are the running containers that schedule this install's transfers.
func (v *sight) schedulers() []string {
	var names []string
	for _, p := range v.peers {
		ours := p.Project == v.options.Project && p.Service == "scheduler"
		if (ours || strings.Contains(p.Image, "syncmaster-scheduler")) && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}
