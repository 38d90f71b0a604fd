// Package templates holds the templates of the env files.
package templates

import "embed"

// FS contains env.tmpl and env.docker.tmpl, text/templates.
//
//go:embed env.tmpl env.docker.tmpl
var FS embed.FS
