package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// api is the part of the server's interface that an installer or its tests ask.
type api struct {
	s      settings
	secret string
}

func newAPI(s settings, root string) http.Handler {
	a := &api{s: s, secret: s.text("", "auth", "access_token", "secret_key")}
	if a.secret == "" {
		a.secret = rand.Text() // other providers hand out no tokens
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /monitoring/ping", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	if s.flag(true, "server", "monitoring", "enabled") {
		mux.HandleFunc("GET /monitoring/metrics", metrics)
	}
	if s.flag(true, "server", "openapi", "enabled") {
		mux.HandleFunc("GET /openapi.json", a.openapi)
	}
	mux.HandleFunc("POST /v1/auth/token", a.token)
	mux.HandleFunc("GET /v1/users/me", a.signedIn(a.me))
	mux.HandleFunc("GET /v1/connections", a.signedIn(a.connections))
	mux.HandleFunc("GET /v1/runs/{id}", a.signedIn(a.run))
	mux.HandleFunc("POST /v1/runs", a.signedIn(a.startRun))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not_found", "Not Found") })
	return a.middleware(http.StripPrefix(strings.TrimRight(root, "/"), mux))
}

// middleware adds the request id and the CORS headers of the settings. CORS cannot be switched off (trap 4).
func (a *api) middleware(next http.Handler) http.Handler {
	origins := a.s.list(nil, "server", "cors", "allow_origins")
	methods := a.s.list([]string{"GET"}, "server", "cors", "allow_methods")
	headers := a.s.list([]string{"X-Request-ID", "X-Request-With"}, "server", "cors", "allow_headers")
	exposed := a.s.list([]string{"X-Request-ID"}, "server", "cors", "expose_headers")
	credentials := a.s.flag(false, "server", "cors", "allow_credentials")
	if slices.Contains(methods, "*") {
		methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, origin := w.Header(), r.Header.Get("Origin")
		h.Set(a.s.text("X-Request-ID", "server", "request_id", "header_name"), rand.Text())
		allowed := origin != "" && (slices.Contains(origins, origin) || slices.Contains(origins, "*"))
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", strings.Join(exposed, ", "))
			h.Set("Vary", "Origin")
			if credentials {
				h.Set("Access-Control-Allow-Credentials", "true")
			}
		}
		wanted := r.Header.Get("Access-Control-Request-Method")
		if r.Method != http.MethodOptions || origin == "" || wanted == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
		if asked := r.Header.Get("Access-Control-Request-Headers"); slices.Contains(headers, "*") && asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		if !allowed || !slices.Contains(methods, wanted) {
			http.Error(w, "Disallowed CORS origin", http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte("OK")) // the client may be gone
	})
}

func metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = fmt.Fprintln(w, "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n"+
		"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds", started.Unix()) // the client may be gone
}

var started = time.Now()

func (a *api) openapi(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"openapi": "3.1.0", "info": map[string]string{"title": "SyncMaster", "version": a.s.release.API}, "paths": map[string]any{},
	})
}

// token signs anybody in who gives a non-empty password, as the dummy provider does; others have no such way.
func (a *api) token(w http.ResponseWriter, r *http.Request) {
	if !a.s.applies([]string{"dummy"}) {
		refuse(w, http.StatusNotImplemented, "not_implemented", "Password login is not supported by this provider")
		return
	}
	name, password := r.PostFormValue("username"), r.PostFormValue("password")
	if name == "" || password == "" {
		refuse(w, http.StatusUnprocessableEntity, "invalid_request", "Invalid request")
		return
	}
	conn, err := a.s.connect(r.Context(), asyncpg)
	if err != nil {
		broken(w, err)
		return
	}
	defer hangUp(conn)
	const login = `INSERT INTO "user" (username, is_superuser, is_active) VALUES ($1, false, true) ON CONFLICT (username) DO NOTHING`
	if _, err := conn.Exec(r.Context(), login, name); err != nil {
		broken(w, err)
		return
	}
	life, err := strconv.Atoi(a.s.text("36000", "auth", "access_token", "expire_seconds"))
	if err != nil {
		broken(w, err)
		return
	}
	expires := time.Now().Add(time.Duration(life) * time.Second).Unix()
	answer(w, http.StatusOK, map[string]any{
		"access_token": signToken(a.secret, name, expires), "token_type": "bearer", "expires_at": expires,
	})
}

// signedIn wants a token that this server has signed.
func (a *api) signedIn(next func(w http.ResponseWriter, r *http.Request, conn *pgx.Conn, name string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, ok := openToken(a.secret, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), time.Now())
		if !ok {
			refuse(w, http.StatusUnauthorized, "unauthorized", "Not authenticated")
			return
		}
		conn, err := a.s.connect(r.Context(), asyncpg)
		if err != nil {
			broken(w, err)
			return
		}
		defer hangUp(conn)
		next(w, r, conn, name)
	}
}

func (a *api) me(w http.ResponseWriter, r *http.Request, conn *pgx.Conn, name string) {
	var id int64
	var super bool
	if err := conn.QueryRow(r.Context(), `SELECT id, is_superuser FROM "user" WHERE username = $1`, name).Scan(&id, &super); err != nil {
		broken(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": id, "username": name, "is_superuser": super})
}

// connections lists the connections of all groups. It decrypts their credentials, so a wrong key fails here.
func (a *api) connections(w http.ResponseWriter, r *http.Request, conn *pgx.Conn, _ string) {
	if err := a.s.credentials(r.Context(), conn); err != nil {
		broken(w, err)
		return
	}
	rows, err := conn.Query(r.Context(), "SELECT id, group_id, name, type FROM connection ORDER BY id")
	if err != nil {
		broken(w, err)
		return
	}
	items, err := pgx.CollectRows(rows, pgx.RowToMap)
	if err != nil {
		broken(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"items": items, "meta": map[string]int{"total": len(items)}})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": message, "details": nil}})
}

// broken logs the cause and tells the client nothing.
func broken(w http.ResponseWriter, err error) {
	logf("ERROR: unhandled exception: %v", err)
	refuse(w, http.StatusInternalServerError, "unknown", "Got unhandled exception. Please contact support")
}
