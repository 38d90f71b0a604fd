// Package fault carries what a user needs to know about a failure: what happened, what to type next and the exit
// code of the process. Errors are returned once and printed once, by the command line.
package fault

import (
	"errors"
	"strings"
)

// Code is an exit code of the program. The numbers are an interface (design.md, section 7).
type Code int

const (
	// Failed is any failure that no other code describes better.
	Failed Code = 1
	// BadInput is an option, setting or file that cannot be used as it is; nothing was changed.
	BadInput Code = 3
	// Refused is a host, folder or database in a state that forbids the operation; nothing was changed.
	Refused Code = 4
	// Undone is a failure after the first change that was undone.
	Undone Code = 5
	// NotUndone is a failure after the first change that could not be undone completely.
	NotUndone Code = 6
	// Locked is another run at work on the same install folder.
	Locked Code = 11
	// Interrupted is a run that the user stopped; it can be resumed.
	Interrupted Code = 130
)

// Error is a failure with an exit code and a hint: the next thing to type or to look at.
type Error struct {
	Code Code
	Err  error
	Hint string
}

// New returns err with an exit code and a hint, which may be empty. A nil err gives nil.
func New(code Code, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Err: err, Hint: hint}
}

// Error returns the message without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the exit code that err carries, or [Failed] where it carries none.
func CodeOf(err error) Code {
	var problems *Problems
	if errors.As(err, &problems) {
		return problems.Code
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Failed
}

// HintOf returns the hint that err carries, or the empty string.
func HintOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// Problem is one of several findings that are reported together.
type Problem struct {
	What string // what is wrong, where
	Hint string // what to type or do next; may be empty
}

// Problems is an error that reports every finding at once.
type Problems struct {
	Code Code
	List []Problem
}

// Add appends a finding.
func (p *Problems) Add(what, hint string) {
	p.List = append(p.List, Problem{What: what, Hint: hint})
}

// Merge appends the findings of err: each one of a [Problems], or err itself with its hint. Nil adds nothing.
func (p *Problems) Merge(err error) {
	if err == nil {
		return
	}
	var other *Problems
	if errors.As(err, &other) {
		p.List = append(p.List, other.List...)
		return
	}
	p.Add(err.Error(), HintOf(err))
}

// Err returns p as an error, or nil where nothing was found.
func (p *Problems) Err() error {
	if len(p.List) == 0 {
		return nil
	}
	return p
}

// Error joins the findings, one a line, without their hints.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, f := range p.List {
		lines[i] = f.What
	}
	return strings.Join(lines, "\n")
}
