package backup

// syncFolder does nothing: Windows has no call that makes a folder's entries durable.
func syncFolder(string) error { return nil }
