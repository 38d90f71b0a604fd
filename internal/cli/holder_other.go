//go:build !linux

package cli

// portHolder cannot tell on this system.
func portHolder(uint16) string { return "" }
