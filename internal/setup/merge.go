package setup

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/workdir"
)

// merged is what the files will be: what the target renders, with the user's edits in it.
type merged struct {
	files        render.Files
	changes      []release.Change // of the user's settings
	keepsCompose bool             // the Compose file in place stays; files holds what would have been written
}

// mergeFiles renders both releases and brings what differs into the files in place.
func (u *upgrade) mergeFiles(random io.Reader, o UpgradeOptions) (merged, error) {
	secrets, err := u.secrets(random)
	if err != nil {
		return merged{}, err
	}
	now := u.current()
	before := render.Input{Release: u.release, Options: u.options, Ports: portsIn(now.Env), Secrets: secrets}
	after := before
	after.Release, after.Options.Version = u.target, u.target.Version
	base, err := render.Render(before)
	if err != nil {
		return merged{}, err
	}
	theirs, err := render.Render(after)
	if err != nil {
		return merged{}, err
	}
	problems := &fault.Problems{Code: fault.Refused}
	m := merged{}
	m.files.Env = u.mergeEnv(workdir.EnvFile, base.Env, now.Env, theirs.Env, o.Prefer, &m, problems)
	m.files.AppEnv = u.mergeEnv(workdir.AppEnvFile, base.AppEnv, now.AppEnv, theirs.AppEnv, o.Prefer, &m, problems)
	m.files.Compose = theirs.Compose
	u.mergeCompose(&m, base.Compose, now.Compose, o.KeepCompose, problems)
	u.checkSettings(m, problems)
	return m, problems.Err()
}

// portsIn completes the ports of an env file, so that both releases are rendered with the same ones.
func portsIn(env string) config.Ports {
	return config.Options{Ports: config.DefaultPorts}.Merge(config.Options{Ports: portsOf(env)}).Ports
}

// mergeEnv translates the settings of a file, one release at a time, and merges what the target renders into it.
func (u *upgrade) mergeEnv(name, base, ours, theirs string, prefer map[string]envfile.Side, m *merged, p *fault.Problems) string {
	translatedBase, _, err := u.translate(base)
	if err != nil {
		p.Add(fmt.Sprintf("reading %s: %v", name, err), "")
		return ours
	}
	translated, changes, err := u.translate(ours)
	if err != nil {
		p.Add(fmt.Sprintf("reading %s: %v", name, err), "mend the line in "+u.dir+"/"+name)
		return ours
	}
	m.changes = append(m.changes, changes...)
	prefer = maps.Clone(prefer)
	if prefer == nil {
		prefer = map[string]envfile.Side{}
	}
	prefer["VERSION"] = envfile.Theirs // one that was changed by hand is refused for what it is
	result, err := envfile.Merge(translatedBase, translated, theirs, prefer)
	if err != nil {
		p.Add(fmt.Sprintf("merging %s: %v", name, err), "mend the line in "+u.dir+"/"+name)
		return ours
	}
	for _, c := range result.Conflicts {
		was := ""
		if c.Base != "" {
			was = "it was " + u.shown(c.Key, c.Base, true) + ", "
		}
		p.Add(fmt.Sprintf("%s: %s was changed by you and by release %s: %syours is %s, the release's is %s", name, c.Key, u.target,
			was, u.shown(c.Key, c.Ours, c.HasOurs), u.shown(c.Key, c.Theirs, c.HasTheirs)),
			fmt.Sprintf("keep yours with --ours %s, or take the release's with --theirs %s", c.Key, c.Key))
	}
	if len(result.Conflicts) == 0 {
		m.changes = append(m.changes, u.brought(translated, result.Text)...)
	}
	return result.Text
}

// brought tells what the target's own file sets, changes and drops beside the translation of what was set.
func (u *upgrade) brought(before, after string) []release.Change {
	was, err := envfile.Parse(before)
	now, afterErr := envfile.Parse(after)
	if err != nil || afterErr != nil {
		return nil // it was just written, and is read again where it counts
	}
	names := maps.Clone(was.Map())
	maps.Copy(names, now.Map())
	delete(names, "VERSION")
	var list []release.Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := was.Get(name)
		value, has := now.Get(name)
		c := release.Change{Kind: release.Changed, Release: u.since(name), From: name, To: name, Value: value, Why: "the release's own value"}
		switch {
		case had && has && old == value:
			continue
		case !had:
			c.Kind, c.From = release.Added, ""
		case !has:
			c.Kind, c.To, c.Why = release.Dropped, "", "the release has no such line"
		}
		if secretSetting(name) {
			c.Value = ""
		}
		list = append(list, c)
	}
	return list
}

// since returns the first of the releases passed through that knows a setting.
func (u *upgrade) since(name string) string {
	through, _ := release.Route(u.release.Version, u.target.Version) // both were looked up
	for _, r := range through {
		if _, has := r.Setting(name); has {
			return r.Version
		}
	}
	return u.target.Version
}

// translate writes the settings of a file as the target reads them.
func (u *upgrade) translate(text string) (string, []release.Change, error) {
	file, err := envfile.Parse(text)
	if err != nil {
		return "", nil, err
	}
	settings, changes := release.Translate(u.release, u.target, file.Map())
	renamed := map[string]string{}
	for _, c := range changes {
		if c.Kind == release.Renamed {
			renamed[c.From] = c.To
		}
	}
	if err := file.Rewrite(settings, renamed); err != nil {
		return "", nil, err
	}
	return file.String(), changes, nil
}

// shown is a value as a message may have it.
func (u *upgrade) shown(name, value string, there bool) string {
	switch {
	case !there:
		return "gone"
	case secretSetting(name):
		return "****"
	}
	return fmt.Sprintf("%q", value)
}

// mergeCompose refuses a Compose file that was edited by hand, or keeps it where it still fits: where the release
// changes nothing in it but the values that come from .env.
func (u *upgrade) mergeCompose(m *merged, base, onDisk string, keep bool, p *fault.Problems) {
	written := u.last[workdir.ComposeFile]
	if onDisk == written || onDisk == base {
		return
	}
	if keep && withoutHead(base) == withoutHead(m.files.Compose) {
		m.keepsCompose = true
		return
	}
	difference := strings.TrimRight(lineDiff(written, onDisk), "\n")
	if keep {
		p.Add(fmt.Sprintf("%s was edited by hand and cannot be kept: release %s needs other services in it than %s", workdir.ComposeFile, u.target, u.release),
			"move your changes to "+workdir.OverrideFile+", then: "+u.putBack())
		return
	}
	p.Add(fmt.Sprintf("%s was edited by hand:\n%s", workdir.ComposeFile, indent(u.hide(difference))),
		"move your changes to "+workdir.OverrideFile+", then: "+u.putBack()+"; or keep the file as it is with --keep-compose")
}

// putBack is the command that puts the Compose file back as it was written.
func (w world) putBack() string {
	return fmt.Sprintf("cp %s/generations/%04d/%s %s", w.dir+"/"+workdir.StateDir, w.state.Generation, workdir.ComposeFile, w.dir+"/"+workdir.ComposeFile)
}

// withoutHead drops the first line, which names the release.
func withoutHead(text string) string {
	_, rest, _ := strings.Cut(text, "\n")
	return rest
}

// checkSettings checks the settings as they will be against the target.
func (u *upgrade) checkSettings(m merged, p *fault.Problems) {
	file, err := envfile.Parse(m.files.AppEnv)
	if err != nil {
		p.Add(fmt.Sprintf("reading %s as it will be: %v", workdir.AppEnvFile, err), "")
		return
	}
	for _, s := range u.target.Missing(release.Server, file.Map()) {
		p.Add(fmt.Sprintf("release %s needs %s, and %s has no value for it", u.target, s.Name, workdir.AppEnvFile), "set it in "+u.dir+"/"+workdir.AppEnvFile)
	}
}

// lineDiff returns the lines that differ between two texts, with a - or a + before them, in their order.
func lineDiff(a, b string) string {
	left, right := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	for len(left) > 0 && len(right) > 0 && left[0] == right[0] {
		left, right = left[1:], right[1:]
	}
	for len(left) > 0 && len(right) > 0 && left[len(left)-1] == right[len(right)-1] {
		left, right = left[:len(left)-1], right[:len(right)-1]
	}
	length := make([][]int, len(left)+1) // of the longest common subsequence of left[i:] and right[j:]
	for i := range length {
		length[i] = make([]int, len(right)+1)
	}
	for i, l := range slices.Backward(left) {
		for j, r := range slices.Backward(right) {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if l == r {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	var out strings.Builder
	line := func(mark, text string) {
		if text != "" {
			out.WriteString(mark + " " + strings.TrimRight(text, "\n") + "\n")
		}
	}
	i, j := 0, 0
	for i < len(left) || j < len(right) {
		switch {
		case i < len(left) && j < len(right) && left[i] == right[j]:
			i, j = i+1, j+1
		case j == len(right) || i < len(left) && length[i+1][j] >= length[i][j+1]:
			line("-", left[i])
			i++
		default:
			line("+", right[j])
			j++
		}
	}
	return out.String()
}
