package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"syncmaster-setup/internal/fault"
)

func TestCodeAndHintSurviveWrapping(t *testing.T) {
	cause := errors.New("port taken")
	err := fmt.Errorf("starting db: %w", fault.New(fault.Refused, cause, "free it"))
	if got := fault.CodeOf(err); got != fault.Refused {
		t.Errorf("code %d, want %d", got, fault.Refused)
	}
	if got := fault.HintOf(err); got != "free it" {
		t.Errorf("hint %q", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if fault.New(fault.Refused, nil, "x") != nil {
		t.Error("no error became one")
	}
	if got := fault.CodeOf(cause); got != fault.Failed {
		t.Errorf("plain error has code %d", got)
	}
}

func TestProblemsCollectAll(t *testing.T) {
	inner := &fault.Problems{Code: fault.BadInput}
	inner.Add("one", "")
	inner.Add("two", "hint two")
	p := &fault.Problems{Code: fault.Refused}
	if p.Err() != nil {
		t.Error("no finding is an error")
	}
	p.Merge(nil)
	p.Merge(fmt.Errorf("options: %w", inner.Err()))
	p.Merge(fault.New(fault.Refused, errors.New("three"), "hint three"))
	if got, want := p.Err().Error(), "one\ntwo\nthree"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if p.List[2].Hint != "hint three" || fault.CodeOf(p.Err()) != fault.Refused {
		t.Errorf("hint or code lost: %+v", p)
	}
}
