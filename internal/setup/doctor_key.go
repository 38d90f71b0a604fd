package setup

import (
	"fmt"
	"path/filepath"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

func checkStoredKey(v *sight) (Level, string, string) {
	key := v.settings[fernetSetting]
	if err := secret.CheckFernetKey(key); err != nil {
		return Fail, fmt.Sprintf("%s is not a Fernet key: %v; SyncMaster finds out only when it is needed%s", fernetSetting, err, v.whereKey()), v.rightKey()
	}
	switch {
	case v.database.err != nil:
		return Missing, "the database does not answer", ""
	case !opensAll(secret.NewText(key), v.database.tokens):
		return Fail, "the encryption key does not open the credentials that are stored in the database: transfers fail" + v.whereKey(), v.rightKey()
	case len(v.database.tokens) == 0:
		return Pass, "no credentials are stored yet", ""
	}
	return Pass, "it opens the newest stored credentials (" + count(len(v.database.tokens), "row") + ")", ""
}

// findKey looks for the key that opens the stored credentials in earlier generations and in backups, where the present one
// does not.
func (v *sight) findKey() {
	if v.database.err != nil || v.fits(v.settings[fernetSetting]) {
		return
	}
	var files []string
	for n := v.lastGen; n > 0; n-- {
		files = append(files, filepath.Join(workdir.StateDir, "generations", fmt.Sprintf("%04d", n), workdir.AppEnvFile))
	}
	for _, b := range v.backups.Backups {
		files = append(files, filepath.Join(backups, b.Name, workdir.AppEnvFile))
	}
	for _, file := range files {
		text, _, err := v.setup.Dir.Read(file)
		if err != nil {
			continue // another one may have it
		}
		parsed, err := envfile.Parse(text)
		if err != nil {
			continue
		}
		if key, has := parsed.Get(fernetSetting); has && v.fits(key) {
			v.goodKey = file
			return
		}
	}
}

// fits reports whether a key can be that of the install.
func (v *sight) fits(key string) bool {
	return secret.CheckFernetKey(key) == nil && opensAll(secret.NewText(key), v.database.tokens)
}

// whereKey says which file has the right key, as far as the folder knows.
func (v *sight) whereKey() string {
	if v.goodKey == "" {
		return ""
	}
	return ". The right one is in " + v.goodKey
}

// rightKey is how the right key comes back. The line is copied by the shell, so that nobody has to look at it.
func (v *sight) rightKey() string {
	if v.goodKey == "" {
		return fmt.Sprintf("put the right %s, from a copy of the file or a backup elsewhere, into %s, then: %s",
			fernetSetting, v.setup.Dir.File(workdir.AppEnvFile), v.initially())
	}
	line := fmt.Sprintf("grep -m 1 '^%s=' %s", fernetSetting, shellWord(v.goodKey))
	put := fmt.Sprintf(`sed -i "s|^%s=.*|$(%s)|" %s`, fernetSetting, line, workdir.AppEnvFile)
	if _, has := v.settings[fernetSetting]; !has {
		put = line + " >> " + workdir.AppEnvFile
	}
	return v.initially(put)
}

// newKey is how a key that everybody knows is replaced: what it has encrypted goes with it.
func (v *sight) newKey() string {
	forget := ""
	if !v.options.ExternalDatabase && len(v.database.tokens) > 0 {
		forget = "; take a backup: " + v.inFolder("syncmaster-setup backup create") + "; delete what the old one has encrypted: " + v.inFolder("docker compose exec db psql -U syncmaster -c 'DELETE FROM auth_data'")
	}
	return fmt.Sprintf("write a new %s into %s, made with: head -c 32 /dev/urandom | base64 | tr '+/' '-_'%s; then: %s    (and enter the credentials of every connection again)",
		fernetSetting, v.setup.Dir.File(workdir.AppEnvFile), forget, v.inFolder("syncmaster-setup init"))
}
