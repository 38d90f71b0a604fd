// Package compose holds the template of the Compose file.
package compose

import "embed"

// FS contains docker-compose.yml.tmpl, a text/template.
//
//go:embed docker-compose.yml.tmpl
var FS embed.FS
