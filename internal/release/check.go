package release

import (
	"fmt"
	"strings"

	"syncmaster-setup/internal/nearest"
)

// CheckSetting says what is wrong with a setting for this release, or returns nil. The name may be in any case, as the
// application reads it. The error names the nearest known name of an unknown one, the new name of one that is no longer
// read, the release that brings one that is not yet read, and what a value should look like. It never contains a value
// that may be secret.
func (r Release) CheckSetting(name, value string) error {
	name = strings.ToUpper(strings.TrimSpace(name))
	s, ok := r.Setting(name)
	if !ok {
		return r.explainUnread(name)
	}
	if s.Open {
		near := nearest.Within(name, r.names(), 2)
		switch {
		case near != "":
			return fmt.Errorf("release %s has no setting %s; did you mean %s?", r, name, near)
		case s.Refused:
			return fmt.Errorf("release %s has no setting %s: it is %s, which does not know it", r, name, s.Caveat)
		}
		return nil
	}
	if problem := r.problem(s, value); problem != "" {
		return fmt.Errorf("%s: %s", name, problem)
	}
	return nil
}

// explainUnread says why the release does not read a name.
func (r Release) explainUnread(name string) error {
	e, known := find(name)
	switch {
	case known && !r.between(e.since, ""):
		return fmt.Errorf("%s is read from release %s on, not by %s%s", name, e.since, r, r.olderName(name))
	case known && e.RenamedTo == logging:
		return fmt.Errorf("%s is not read any more from release %s on; logging is now given as %s in dictConfig form", name, after(e.until), logging)
	case known:
		return fmt.Errorf("%s is not read any more from release %s on; its name is now %s", name, after(e.until), e.RenamedTo)
	}
	if near := nearestOf(name, r.names()); near != "" {
		return fmt.Errorf("release %s has no setting %s; did you mean %s?", r, name, near)
	}
	return fmt.Errorf("release %s has no setting %s", r, name)
}

// olderName tells the name that a setting has in this older release.
func (r Release) olderName(name string) string {
	for _, e := range table {
		if e.RenamedTo == name && r.between(e.since, e.until) && name != logging {
			return "; there its name is " + e.Name
		}
	}
	return ""
}

func (r Release) names() []string {
	var names []string
	for _, s := range r.Settings() {
		names = append(names, s.Name)
	}
	return names
}

// after returns the release that follows a version.
func after(version string) string {
	for i, r := range releases[:len(releases)-1] {
		if r.Version == version {
			return releases[i+1].Version
		}
	}
	return version
}
