package setup

import (
	"fmt"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

// check adds what forbids the upgrade.
func (u *upgrade) check(o UpgradeOptions, p *fault.Problems) {
	if u.writable != nil {
		p.Add(u.writable.Error(), "make the folder writable for you")
	}
	if version, _ := u.value(workdir.EnvFile, "VERSION"); version != u.state.Version {
		p.Add(fmt.Sprintf("%s says VERSION=%s, and release %s was installed: somebody has changed the release by hand", workdir.EnvFile, version, u.state.Version),
			fmt.Sprintf("write VERSION=%s there again, then: cd %s && docker compose up -d", u.state.Version, u.dir))
	}
	if !u.byImage() && u.facts.Revision > u.target.Head {
		p.Add(fmt.Sprintf("the database is at revision %s, release %s ends at %s: its data is newer", u.facts.Revision, u.target, u.target.Head), "choose a newer release with --to")
	}
	p.List = append(p.List, u.unreadable...)
	u.checkServer(o, p)
	u.checkKeyAgainst(p)
	u.checkTargetImages(p)
	u.checkDisk(o, p)
}

// checkServer refuses another PostgreSQL than the files say, and a dump that cannot be made.
func (u *upgrade) checkServer(o UpgradeOptions, p *fault.Problems) {
	major := fmt.Sprint(u.facts.ServerVersion / 10000)
	if tag := u.target.Image(release.Database).Tag; !u.options.ExternalDatabase && u.facts.ServerVersion > 0 && major != tag {
		p.Add(fmt.Sprintf("PostgreSQL %s runs on the volume, and release %s is set up with PostgreSQL %s: another major cannot read its files", major, u.target, tag),
			"keep the image of the database in "+workdir.OverrideFile)
	}
	if u.options.ExternalDatabase && !o.NoBackup {
		p.Add("the database is not a container of this install, so no backup can be taken of it here",
			"back it up yourself, then type the same with --no-backup")
	}
	switch {
	case !o.NoBackup:
	case u.byImage():
		p.Add(fmt.Sprintf("release %s is migrated by its own image, so the way back needs a backup", u.target), "leave out --no-backup")
	case len(u.forecast.Revisions) > 0 && !u.forecast.Reversible:
		p.Add(fmt.Sprintf("the revisions of release %s cannot be taken back without losing rows, so the way back needs a backup", u.target), "leave out --no-backup")
	}
}

func (u *upgrade) checkKeyAgainst(p *fault.Problems) {
	if key := u.recorded(fernetSetting); !opensAll(key, u.tokens) {
		p.Add("the encryption key does not open the credentials that are stored in the database",
			"put the right "+fernetSetting+" into "+u.dir+"/"+workdir.AppEnvFile+"; older ones are in "+u.dir+"/"+backups)
	}
}

// checkTargetImages refuses images that are neither present nor to be had.
func (u *upgrade) checkTargetImages(p *fault.Problems) { u.then().checkImages(p) }

// checkDisk refuses where images, backup and rewritten tables would fill a disk.
func (u *upgrade) checkDisk(o UpgradeOptions, p *fault.Problems) {
	engineNeeds, backupNeeds := uint64(u.forecast.Bytes)+u.then().spaceForImages(u.movedServices()), spaceForFiles //nolint:gosec // a size is not negative
	if !o.NoBackup {
		backupNeeds += uint64(u.size) //nolint:gosec // a size is not negative
	}
	if free, known := u.disk["images"]; known && free < engineNeeds {
		p.Add(fmt.Sprintf("%s of the engine has %s free, images and rewritten tables need up to %s", u.host.RootDir, size(free), size(engineNeeds)),
			"free some space there, for example with: docker image prune")
	}
	if free, known := u.disk["backups"]; known && free < backupNeeds {
		p.Add(fmt.Sprintf("%s/%s has %s free, the backup needs up to %s", u.dir, backups, size(free), size(backupNeeds)),
			"free some space there; see the backups with: syncmaster-setup backup list --dir "+u.dir)
	}
}

// notices are what the user should know before the first change.
func (u *upgrade) notices() []string {
	var list []string
	if u.forecast.Known != "" {
		list = append(list, "the schema is that of a database "+u.forecast.Known+": two columns are of another length; mend it afterwards with: syncmaster-setup migrate repair")
	}
	if len(u.facts.Holding) > 0 && (u.byImage() || len(u.forecast.Revisions) > 0) {
		list = append(list, "the migration would wait for a transaction that is held open, and go back after half a minute: "+strings.Join(u.facts.Holding, "; ")+
			"; end it first, if nobody needs it, with: SELECT pg_terminate_backend(PID)")
	}
	if u.byImage() && u.target.Unknown {
		list = append(list, fmt.Sprintf("release %s is newer than this program: it is set up like %s, and its own image migrates the database", u.target, release.Newest()))
	}
	if u.merge.keepsCompose {
		list = append(list, workdir.ComposeFile+" was edited by hand and stays as it is")
	}
	if len(u.shadowed) > 0 {
		list = append(list, fmt.Sprintf("the environment sets %s, which beats .env when you type docker compose: unset it", strings.Join(u.shadowed, ", ")))
	}
	return list
}

// tellUpgrade reports the notices.
func (s *Setup) tellUpgrade(u *upgrade) {
	for _, text := range u.notices() {
		s.Report.Report(report.Event{Kind: report.Warning, Text: text})
	}
}
