package workdir

// Ignore keeps git from seeing anything in the folder.
func (d Dir) Ignore() error {
	const name = ".gitignore"
	if _, exists, err := d.Read(name); err != nil || exists {
		return err
	}
	return writeFile(d.File(name), []byte("*\n"), publicMode)
}
