package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"syncmaster-setup/test/kit/facts"
)

const (
	webRoot    = "/usr/share/nginx/html"
	scriptTag  = `<script src="/env-config.js"></script>`
	indexEmpty = "<!doctype html><html><head><title>SyncMaster</title></head><body>SyncMaster (stand-in)</body></html>\n"
)

// uiEntrypoint writes the settings into a script in the web root and starts what it is told to start, nginx.
func uiEntrypoint(r facts.Release, args []string) int {
	api, provider, err := uiSettings(r)
	if err != nil {
		return fail("%v", err)
	}
	// Values go in as they are, without escaping (contract.md, section 7).
	script := fmt.Sprintf("window.env = {\n  API_URL: \"%s\",\n", api)
	if r.Number >= 205 {
		script += fmt.Sprintf("  AUTH_PROVIDER: \"%s\",\n", provider)
	}
	index := strings.Replace(indexEmpty, "</head>", scriptTag+"</head>", 1)
	for name, content := range map[string]string{"env-config.js": script + "};\n", "index.html": index} {
		if err := os.WriteFile(filepath.Join(webRoot, name), []byte(content), 0o644); err != nil {
			return fail("%v", err)
		}
	}
	if len(args) == 0 {
		return 0
	}
	return call(r, args)
}

// uiSettings returns the API's address and the login kind: the environment, from 0.3.0 over the configuration file,
// over the image's defaults, which do not work before 0.2.5.
func uiSettings(r facts.Release) (api, provider string, err error) {
	s := settings{release: r, tree: map[string]any{}}
	if !r.Old() {
		if err := s.readFile(); err != nil {
			return "", "", err
		}
	}
	api = "http://localhost:8000"
	if r.Number == 204 {
		api = "http://localhost:8000/v1"
	}
	api = s.text(api, "ui", "api_browser_url")
	provider = s.text("dummyAuthProvider", "ui", "auth_provider")
	return orDefault(os.Getenv("SYNCMASTER__UI__API_BROWSER_URL"), api),
		orDefault(os.Getenv("SYNCMASTER__UI__AUTH_PROVIDER"), provider), nil
}

// nginx serves the web root on port 3000, IPv4 only. Unknown paths fall back to index.html.
func nginx(facts.Release, []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGQUIT, os.Interrupt)
	defer stop()
	return serve(ctx, "0.0.0.0:3000", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Join(webRoot, filepath.Clean("/"+r.URL.Path))
		if info, err := os.Stat(name); err != nil || info.IsDir() {
			name = filepath.Join(webRoot, "index.html")
		}
		content, err := os.ReadFile(name)
		if err != nil {
			http.Error(w, "500 Internal Server Error", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", map[string]string{".js": "application/javascript"}[filepath.Ext(name)])
		if strings.HasSuffix(name, ".html") {
			w.Header().Set("Content-Type", "text/html")
		}
		_, _ = w.Write(content) // the client may be gone
	}))
}
