package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// run shows one run.
func (a *api) run(w http.ResponseWriter, r *http.Request, conn *pgx.Conn, _ string) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "invalid_request", "Invalid request")
		return
	}
	var status string
	err = conn.QueryRow(r.Context(), "SELECT status FROM run WHERE id = $1", id).Scan(&status)
	if errors.Is(err, pgx.ErrNoRows) {
		refuse(w, http.StatusNotFound, "not_found", "Run not found")
		return
	}
	if err != nil {
		broken(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": id, "status": status})
}

// startRun records a run of a transfer and sends its task to the queue that the transfer names.
func (a *api) startRun(w http.ResponseWriter, r *http.Request, conn *pgx.Conn, _ string) {
	var body struct {
		Transfer int64 `json:"transfer_id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		refuse(w, http.StatusUnprocessableEntity, "invalid_request", "Invalid request")
		return
	}
	var slug string
	const queue = "SELECT q.slug FROM transfer t JOIN queue q ON q.id = t.queue_id WHERE t.id = $1"
	err := conn.QueryRow(r.Context(), queue, body.Transfer).Scan(&slug)
	if errors.Is(err, pgx.ErrNoRows) {
		refuse(w, http.StatusNotFound, "not_found", "Transfer not found")
		return
	}
	if err != nil {
		broken(w, err)
		return
	}
	id, err := a.createRun(r.Context(), conn, body.Transfer, slug)
	if err != nil {
		broken(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": id, "transfer_id": body.Transfer, "status": "CREATED"})
}

// createRun fails the run where the broker refuses the message (contract.md, section 3).
func (a *api) createRun(ctx context.Context, conn *pgx.Conn, transfer int64, slug string) (int64, error) {
	if err := a.s.credentials(ctx, conn); err != nil {
		return 0, err
	}
	var id int64
	const insert = `INSERT INTO run (transfer_id, status, type, transfer_dump) VALUES ($1, 'CREATED', 'MANUAL', '{}') RETURNING id`
	if err := conn.QueryRow(ctx, insert, transfer).Scan(&id); err != nil {
		return 0, err
	}
	if err := a.s.sendRun(ctx, slug, id); err != nil {
		_, updateErr := conn.Exec(ctx, "UPDATE run SET status = 'FAILED', ended_at = now() WHERE id = $1", id)
		return 0, errors.Join(err, updateErr)
	}
	return id, nil
}
