package setup

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/workdir"
)

// publicAddress returns an address at which others than this machine reach the server: by the project as it is now, or
// by a container that still runs as it was; empty where there is none.
func (v *sight) publicAddress() string {
	if address := v.projectedAddress(); address != "" {
		return address
	}
	for _, c := range v.observed.Containers {
		for _, p := range v.observed.Ports {
			if c.Service == "server" && p.Container == c.Name && p.Inside == 8000 && !isLoopback(p.Address) {
				return p.Address
			}
		}
	}
	return ""
}

// projectedAddress is the address by the files alone.
func (v *sight) projectedAddress() string {
	addresses := []string{v.options.Bind}
	if v.project != nil {
		server, enabled := v.project.Services["server"]
		if addresses = nil; enabled && server.NetworkMode == "host" {
			addresses = []string{"0.0.0.0"}
		}
		for _, p := range server.Ports {
			if p.Target == 8000 {
				addresses = append(addresses, cmp.Or(p.HostIP, "0.0.0.0"))
			}
		}
	}
	if i := slices.IndexFunc(addresses, func(a string) bool { return !isLoopback(a) }); i >= 0 {
		return addresses[i]
	}
	return ""
}

func isLoopback(address string) bool {
	addr, err := netip.ParseAddr(address)
	return err == nil && addr.IsLoopback()
}

// unpublish is how the server gets off the public address.
func (v *sight) unpublish() string {
	if v.projectedAddress() != "" && isLoopback(v.placedBind()) {
		return "give the ports of server in " + v.setup.Dir.File(workdir.OverrideFile) + " the address 127.0.0.1, then: " + v.inFolder("syncmaster-setup init")
	}
	return v.inFolder("syncmaster-setup init --bind 127.0.0.1")
}

func checkLogin(v *sight) (Level, string, string) {
	provider, known := v.effective(release.Server)["SYNCMASTER__AUTH__PROVIDER"]
	if (known && !strings.HasSuffix(provider, ".DummyAuthProvider")) || !slices.Contains(v.options.Services(), "server") {
		return Pass, "", ""
	}
	if address := v.publicAddress(); address != "" {
		return Fail, "the dummy login accepts any name with any password, and the server is published on " + address,
			v.unpublish() + "    (or choose --auth keycloak)"
	}
	return Pass, "the dummy login accepts any password; only this machine reaches it", ""
}

func checkDebug(v *sight) (Level, string, string) {
	on := strings.ToLower(v.effective(release.Server)["SYNCMASTER__SERVER__DEBUG"])
	if !slices.Contains([]string{"true", "1", "yes", "on", "t", "y"}, on) {
		return Pass, "", ""
	}
	if v.publicAddress() == "" {
		return Pass, "debug is on; only this machine reaches the server", ""
	}
	const name, text = "SYNCMASTER__SERVER__DEBUG", "the server tells error details to everybody who reaches it"
	if file := v.fileOf(name, v.environment(release.Server)); file != v.setup.Dir.File(workdir.AppEnvFile) {
		return Warn, text, "write " + name + "=false into " + file + ", then: " + v.inFolder("syncmaster-setup init")
	}
	return Warn, text, v.inFolder("syncmaster-setup init --set " + name + "=false")
}
