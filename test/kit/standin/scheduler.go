package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"syncmaster-setup/test/kit/facts"
)

// scheduler is `python -m syncmaster.scheduler`: it polls the transfers over two sessions that stay open. As process 1
// it does not hear SIGTERM, in every release; behind an init process SIGTERM ends it.
func scheduler(r facts.Release, _ []string) int {
	if os.Getpid() == 1 {
		signal.Ignore(syscall.SIGTERM)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := loadSettings(r, facts.Scheduler)
	if err != nil {
		return fail("%v", err)
	}
	quiet = leftoverLogging(r)
	err = s.schedule(ctx)
	if ctx.Err() != nil {
		return 130 // KeyboardInterrupt
	}
	return fail("%v", err)
}

func (s settings) schedule(ctx context.Context) error {
	jobs, err := s.connect(ctx, psycopg2)
	if err != nil {
		return err
	}
	defer hangUp(jobs)
	polling, err := s.connect(ctx, asyncpg)
	if err != nil {
		return err
	}
	defer hangUp(polling)
	if err := s.checkRevision(ctx, jobs); err != nil {
		return err
	}
	interval, err := strconv.Atoi(s.text("180", "scheduler", "TRANSFER_FETCHING_TIMEOUT_SECONDS"))
	if err != nil {
		return fmt.Errorf("reading the fetching timeout: %w", err)
	}
	logf("Scheduler started")
	for {
		if err := poll(ctx, jobs, polling); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(interval) * time.Second):
		}
	}
}

// checkRevision stops a scheduler whose tables are older than its code.
func (s settings) checkRevision(ctx context.Context, conn *pgx.Conn) error {
	var revision string
	if err := conn.QueryRow(ctx, "SELECT version_num FROM alembic_version").Scan(&revision); err != nil {
		return fmt.Errorf("sqlalchemy.exc.ProgrammingError: %w", err)
	}
	if revision < s.release.Head {
		return fmt.Errorf("sqlalchemy.exc.ProgrammingError: the database is at %s, this release needs %s", revision, s.release.Head)
	}
	return nil
}

// poll reads the scheduled transfers and drops jobs of those that are gone.
func poll(ctx context.Context, jobs, polling *pgx.Conn) error {
	var count int
	if err := polling.QueryRow(ctx, "SELECT count(*) FROM transfer WHERE is_scheduled").Scan(&count); err != nil {
		return fmt.Errorf("sqlalchemy.exc.OperationalError: %w", err)
	}
	const forget = "DELETE FROM apscheduler_jobs WHERE id NOT IN (SELECT id::text FROM transfer WHERE is_scheduled)"
	if _, err := jobs.Exec(ctx, forget); err != nil {
		return fmt.Errorf("sqlalchemy.exc.OperationalError: %w", err)
	}
	logf("Looking at at most %d scheduled transfers", count)
	return nil
}
