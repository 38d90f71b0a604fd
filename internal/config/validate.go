package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
)

var (
	projectName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)                     // Compose's rule
	queueSlug    = regexp.MustCompile(`^[0-9]+-[A-Za-z0-9_-]+$`)                   // contract.md, section 4
	timeZone     = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)      // a path below zoneinfo
	platformName = regexp.MustCompile(`^linux/(amd64|arm64)$`)                     // what SyncMaster publishes
	registryName = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*/?$`) // host[:port][/path]
)

// IsProjectName reports whether Compose takes a name for a project.
func IsProjectName(name string) bool { return projectName.MatchString(name) }

// Validate returns every problem of complete options (see [Options.Defaults]) for a release, or nil. placed are the
// settings that an install has already; nil for a fresh one.
func (o Options) Validate(r release.Release, placed map[string]string) error {
	p := &fault.Problems{Code: fault.BadInput}
	o.checkNames(p)
	o.checkAddresses(p)
	o.checkPorts(p)
	o.checkAuth(r, placed, p)
	o.checkSettings(r, p)
	if _, _, err := r.Superusers(o.Superusers); err != nil {
		p.Add(fmt.Sprintf("--superuser: %v", err), "")
	}
	return p.Err()
}

// URLs returns the addresses of API and UI as browsers see them: those that were asked for, otherwise derived from
// the address and the ports that are published. The API's address has no /v1.
func (o Options) URLs(ports Ports) (api, ui string) {
	host := o.Bind
	if addr, err := netip.ParseAddr(o.Bind); err != nil || addr.IsUnspecified() || addr.IsLoopback() {
		host = "localhost"
	} else if addr.Is6() {
		host = "[" + o.Bind + "]"
	}
	api = fmt.Sprintf("http://%s:%d", host, ports.Server)
	ui = fmt.Sprintf("http://%s:%d", host, ports.UI)
	if o.PublicURL != "" {
		api = strings.TrimRight(o.PublicURL, "/")
		if u, err := url.Parse(api); err == nil && u.Port() == fmt.Sprint(ports.Server) {
			ui = fmt.Sprintf("%s://%s:%d", u.Scheme, hostOf(u), ports.UI)
		}
	}
	if o.UIURL != "" {
		ui = strings.TrimRight(o.UIURL, "/")
	}
	return api, ui
}

func (o Options) checkNames(p *fault.Problems) {
	if o.Preset != Local && o.Preset != Production {
		p.Add(fmt.Sprintf("--preset %q is neither %q nor %q", o.Preset, Local, Production), "")
	}
	if !IsProjectName(o.Project) {
		p.Add(fmt.Sprintf("--project-name %q: Compose takes lower case letters, digits, - and _, beginning with a letter or digit", o.Project), "")
	}
	for _, name := range o.Profiles {
		if !slices.Contains(Profiles, name) {
			p.Add(fmt.Sprintf("--profile %q is unknown", name), "choose from "+strings.Join(Profiles, ", "))
		}
	}
	for _, q := range o.Queues {
		if !queueSlug.MatchString(q) {
			p.Add(fmt.Sprintf("--queue %q is not a slug: it is the group's number, a hyphen and the queue's name, like 123-test_queue", q),
				"the UI shows the slug of a queue after it was created")
		}
	}
	if !timeZone.MatchString(o.Timezone) {
		p.Add(fmt.Sprintf("--timezone %q is not the name of a time zone, like UTC or Europe/Berlin", o.Timezone), "")
	}
	if o.Platform != "" && !platformName.MatchString(o.Platform) {
		p.Add(fmt.Sprintf("--platform %q: SyncMaster's images are published for linux/amd64 and linux/arm64", o.Platform), "")
	}
	if o.Registry != "" && !registryName.MatchString(o.Registry) {
		p.Add(fmt.Sprintf("--registry %q is not a registry: it is host[:port][/path], without a scheme", o.Registry), "")
	}
}

func (o Options) checkAddresses(p *fault.Problems) {
	addr, err := netip.ParseAddr(o.Bind)
	if err != nil {
		p.Add(fmt.Sprintf("--bind %q is not an IP address", o.Bind), "use 127.0.0.1 for this host only, 0.0.0.0 for all")
	}
	for _, u := range []struct{ flag, value string }{{"--public-url", o.PublicURL}, {"--ui-url", o.UIURL}} {
		checkURL(u.flag, u.value, p)
	}
	checkServer("--database-url", o.DatabaseURL, "postgresql+asyncpg://USER:PASSWORD@HOST:5432/DATABASE", p)
	checkServer("--broker-url", o.BrokerURL, "amqp://USER:PASSWORD@HOST:5672", p)
	if u, err := url.Parse(o.UIURL); err == nil && o.UIURL != "" && strings.Trim(u.Path, "/") != "" {
		p.Add(fmt.Sprintf("--ui-url %q has a path: browsers report origins without one", o.UIURL), "")
	}
	if o.Preset != Production {
		return
	}
	if o.PublicURL == "" && err == nil && !addr.IsLoopback() {
		p.Add("--preset production needs --public-url: the address at which browsers reach the API",
			"for example --public-url http://syncmaster.example.com:8000")
	}
	if u, err := url.Parse(o.PublicURL); err == nil && o.PublicURL != "" && o.UIURL == "" &&
		slices.Contains(o.Services(), "frontend") && u.Port() != fmt.Sprint(o.Ports.orDefault().Server) {
		p.Add("--ui-url is needed with this --public-url: the address at which browsers reach the UI",
			"for example --ui-url https://syncmaster.example.com")
	}
}

func (o Options) checkPorts(p *fault.Problems) {
	flags := map[uint16]string{}
	for _, f := range []struct {
		flag string
		port uint16
	}{{"--server-port", o.Ports.Server}, {"--ui-port", o.Ports.UI}, {"--db-port", o.Ports.Database}, {"--broker-port", o.Ports.Broker}} {
		if f.port == 0 {
			continue
		}
		if other, taken := flags[f.port]; taken {
			p.Add(fmt.Sprintf("%s and %s are both %d", other, f.flag, f.port), "")
		}
		flags[f.port] = f.flag
	}
}

func (o Options) checkAuth(r release.Release, placed map[string]string, p *fault.Problems) {
	if o.Auth == "" {
		p.Add("--preset production needs --auth: the dummy login accepts any name with any password",
			"use --auth keycloak with its settings, or --auth dummy if that is meant")
		return
	}
	provider, err := r.AuthProvider(o.Auth)
	if err != nil {
		p.Add("--auth: "+err.Error(), "")
		return
	}
	if provider.Name != "dummy" && provider.UIValue == "" && slices.Contains(o.Services(), "frontend") {
		p.Add(fmt.Sprintf("the UI of release %s has no login with %s", r, provider.Name),
			"choose profiles without the frontend, or another --auth")
	}
	given := map[string]bool{}
	for _, s := range o.Set {
		given[strings.ToUpper(s.Name)] = true
	}
	for _, name := range provider.Required {
		if !given[name] && placed[name] == "" && !generatedOrDerived(name) {
			p.Add(fmt.Sprintf("--auth %s needs the setting %s", o.Auth, name), "add --set "+name+"=VALUE")
		}
	}
}

func (o Options) checkSettings(r release.Release, p *fault.Problems) {
	seen := map[string]bool{}
	for _, s := range o.Set {
		name := strings.ToUpper(s.Name)
		if seen[name] {
			p.Add("--set "+name+" is given twice", "")
		}
		seen[name] = true
		if flag, ok := ownFlag[name]; ok {
			p.Add("--set "+name+" has an option of its own", "use "+flag)
			continue
		}
		if err := r.CheckSetting(name, s.Value.Reveal()); err != nil {
			p.Add("--set "+err.Error(), "")
		}
	}
}

// ownFlag names the option that decides a setting together with other things: ports, files, containers.
var ownFlag = map[string]string{
	"SYNCMASTER__DATABASE__URL":          "--database-url",
	"SYNCMASTER__BROKER__URL":            "--broker-url",
	"SYNCMASTER__AUTH__PROVIDER":         "--auth",
	"SYNCMASTER__SUPERUSERS":             "--superuser",
	"SYNCMASTER__ENTRYPOINT__SUPERUSERS": "--superuser",
	"SYNCMASTER__UI__API_BROWSER_URL":    "--public-url",
	"SYNCMASTER__UI__AUTH_PROVIDER":      "--auth",
	"TZ":                                 "--timezone",
	"PROMETHEUS_MULTIPROC_DIR":           "docker-compose.override.yml",
}

// generatedOrDerived reports whether a required setting needs no word of the user.
func generatedOrDerived(name string) bool {
	return strings.HasSuffix(name, "__COOKIE__SECRET_KEY") || strings.HasSuffix(name, "__SESSION__SECRET_KEY") ||
		strings.HasSuffix(name, "__ACCESS_TOKEN__SECRET_KEY") ||
		strings.HasSuffix(name, "__UI_CALLBACK_URL") || strings.HasSuffix(name, "__REDIRECT_URI")
}

func checkURL(flag, value string, p *fault.Problems) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" || strings.ContainsAny(value, "'\"`<>\\ ") {
		p.Add(fmt.Sprintf("%s %q is not an address like https://syncmaster.example.com", flag, value), "")
	}
}

// checkServer refuses the URL of an external server that has another scheme than its form, or no host. It is not shown,
// since it may hold a password.
func checkServer(flag string, value secret.Text, form string, p *fault.Problems) {
	scheme, _, _ := strings.Cut(form, ":")
	family, _, _ := strings.Cut(scheme, "+")
	given, rest, found := strings.Cut(value.Reveal(), "://")
	given, _, _ = strings.Cut(given, "+") // a driver, which render replaces by SyncMaster's
	same := given == family || given == family+"s" || given == "postgres" && family == "postgresql"
	if value.Empty() || found && same && rest != "" {
		return
	}
	p.Add(flag+" is not an address like "+form, "")
}

func hostOf(u *url.URL) string {
	if strings.Contains(u.Hostname(), ":") {
		return "[" + u.Hostname() + "]"
	}
	return u.Hostname()
}

// orDefault fills the ports that were not asked for.
func (p Ports) orDefault() Ports {
	d := DefaultPorts
	pick(&d.Server, p.Server)
	pick(&d.UI, p.UI)
	pick(&d.Database, p.Database)
	pick(&d.Broker, p.Broker)
	return d
}
