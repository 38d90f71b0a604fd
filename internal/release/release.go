// Package release knows every SyncMaster release that can be installed: its images, settings, commands and rules, as
// data. It does no I/O. The facts are those of contract.md, the settings those of releases.json.
package release

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Release is one release of SyncMaster, or the develop branch.
type Release struct {
	Version  string // X.Y.Z or "develop", which is also the tag of the images
	Date     string // YYYY-MM-DD; empty where Unknown
	Head     string // Alembic revision its migrations end at; empty where Unknown
	Floating bool   // the tag moves: the same name may be another image tomorrow
	Unknown  bool   // newer than every release described here: the newest known contract, migrated by its own image

	contract number // the release whose settings and rules apply
}

// number is X.Y.Z, to be compared part by part.
type number [3]int

var latest = number{1 << 30}

// releases in order; heads and dates are those of contract.md's first table. The develop branch stands for its state
// of that date, and comes last.
var releases = []Release{
	{Version: "0.2.0", Date: "2025-04-04", Head: "0011"},
	{Version: "0.2.1", Date: "2025-04-07", Head: "0011"},
	{Version: "0.2.2", Date: "2025-04-11", Head: "0011"},
	{Version: "0.2.3", Date: "2025-04-11", Head: "0011"},
	{Version: "0.2.4", Date: "2025-07-09", Head: "0011"},
	{Version: "0.2.5", Date: "2025-10-10", Head: "0012"},
	{Version: "0.3.0", Date: "2025-12-18", Head: "0012"},
	{Version: "0.3.1", Date: "2026-01-15", Head: "0012"},
	{Version: "0.3.2", Date: "2026-03-05", Head: "0012"},
	{Version: "develop", Date: "2026-04-30", Head: "0013", Floating: true},
}

// Known returns every release described here, oldest first, the develop branch last.
func Known() []Release {
	known := slices.Clone(releases)
	for i := range known {
		known[i].contract = contractOf(known[i].Version)
	}
	return known
}

// Newest returns the newest numbered release described here.
func Newest() Release {
	known := Known()
	return known[len(known)-2]
}

// Lookup returns the release of a version: "X.Y.Z" or "develop". A version newer than every known one gives the newest
// known contract with Unknown set. Anything else is an error that names the known releases and the nearest one.
func Lookup(version string) (Release, error) {
	known := Known()
	for _, r := range known {
		if r.Version == version {
			return r, nil
		}
	}
	n, ok := parseNumber(version)
	if !ok {
		return Release{}, fmt.Errorf("%q is not a version of SyncMaster; %s", version, advice(version))
	}
	newest := Newest()
	if n.less(newest.contract) {
		return Release{}, fmt.Errorf("there is no known SyncMaster release %s; %s", version, advice(version))
	}
	return Release{Version: version, Unknown: true, contract: newest.contract}, nil
}

// Before reports whether r is older than other. The develop branch comes after every known release and before
// every unknown one, as its described state does by its date.
func (r Release) Before(other Release) bool {
	mine, others := r.rank(), other.rank()
	return slices.Compare(mine[:], others[:]) < 0
}

// String returns the version.
func (r Release) String() string { return r.Version }

// rank gives the order of Before: the number, then develop between the newest known number and the unknown ones.
func (r Release) rank() [4]int {
	switch {
	case r.Floating:
		n := Newest().contract
		return [4]int{n[0], n[1], n[2], 1}
	case r.Unknown:
		n, _ := parseNumber(r.Version) // Lookup made it from a number
		return [4]int{n[0], n[1], n[2]}
	default:
		return [4]int{r.contract[0], r.contract[1], r.contract[2]}
	}
}

// from reports whether r has what came with a version.
func (r Release) from(version string) bool { return !r.contract.less(contractOf(version)) }

// between reports whether r lies in since..until, both included; an empty bound is open.
func (r Release) between(since, until string) bool {
	return (since == "" || r.from(since)) && (until == "" || !contractOf(until).less(r.contract))
}

func contractOf(version string) number {
	if n, ok := parseNumber(version); ok {
		return n
	}
	return latest
}

func (n number) less(other number) bool { return slices.Compare(n[:], other[:]) < 0 }

// parseNumber accepts X.Y.Z in plain decimal digits without leading zeros.
func parseNumber(version string) (number, bool) {
	parts := strings.Split(version, ".")
	if len(parts) != len(number{}) {
		return number{}, false
	}
	var n number
	for i, part := range parts {
		value, err := strconv.Atoi(part)
		if err != nil || value < 0 || value > 1<<20 || strconv.Itoa(value) != part {
			return number{}, false
		}
		n[i] = value
	}
	return n, true
}

// advice names the known releases and the one that was probably meant.
func advice(version string) string {
	var names []string
	for _, r := range releases {
		names = append(names, r.Version)
	}
	return fmt.Sprintf("known are %s; did you mean %s?", strings.Join(names, ", "), nearestVersion(version))
}

// nearestVersion returns the release below a number, or else the newest one that shares the longest beginning with it.
func nearestVersion(version string) string {
	version = strings.TrimLeft(strings.TrimSpace(version), "vV")
	best, length := Newest().Version, 0
	if n, ok := parseNumber(version); ok {
		best = releases[0].Version
		for _, r := range Known() {
			if !n.less(r.contract) {
				best = r.Version
			}
		}
		return best
	}
	for _, r := range releases {
		if shared := sharedBeginning(version, r.Version); shared > 0 && shared >= length {
			best, length = r.Version, shared
		}
	}
	return best
}
