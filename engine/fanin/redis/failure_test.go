package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
)

// Each failure has a cause by which it is counted: what servers of several versions say, and what
// connections do.
func TestCausesOfFailures(t *testing.T) {
	known := map[string]bool{}
	for _, kind := range errorKinds {
		known[kind] = true
	}
	for _, word := range words {
		if !known[strings.ToLower(word)] {
			t.Errorf("%s is not counted", word)
		}
	}
	for _, c := range []struct {
		err  error
		kind string
	}{
		{
			scriptError("WRONGTYPE Operation against a key holding the wrong kind of value script: 1, on @user_script:2."), "wrongtype"},
		// 7.0
		{
			scriptError("The user executing the script can't run this command or subcommand script: 1"), "noperm"},
		// 7.2
		{scriptError("ACL failure in script: No permissions to access a key"), "noperm"},
		{scriptError("Unknown Redis command called from script script: 1"), "unknown_command"},
		{scriptError("unknown command 'XADD', with args beginning with: 'secret'"),
			"unknown_command"},
		{scriptError("invalid password"), "wrongpass"},
		{scriptError("something new"), "other"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "refused"},
		{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, "unreachable"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}},
			"no_such_host"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no answer", IsTimeout: true}},
			"timeout"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")},
			"certificate"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}, "tls"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "certificate"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
			"certificate"},
		{
			&tls.CertificateVerificationError{
				Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, "certificate"},
		{fmt.Errorf("%w: open edge.pem", errFiles), "certificate"},
		{tls.RecordHeaderError{}, "tls"},
		{context.DeadlineExceeded, "timeout"},
		{errProbe, "timeout"},
		{io.EOF, "connection"},
	} {
		if got := errorKind(fmt.Errorf("wrapped: %w", c.err)); got != c.kind || !known[got] {
			t.Errorf("%v: found %s, expected %s", c.err, got, c.kind)
		}
	}
}

// What was never sent is not stored; of the rest, a server may have taken it.
func TestWhatWasNeverSent(t *testing.T) {
	for err, want := range map[error]bool{
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}: true, errFiles: true,
		&net.OpError{Op: "read", Err: syscall.ECONNRESET}: false,
		&net.OpError{Op: "write", Err: syscall.EPIPE}:     false, io.EOF: false,
		context.DeadlineExceeded: false,
	} {
		if got := neverSent(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("%v: found %v", err, got)
		}
	}
}

// A hint may cost connections: it is asked for when there is a line for it.
func TestHintsAreForLines(t *testing.T) {
	asked, one := 0, trouble{}
	hint := func(err error) error { asked++; return fmt.Errorf("%w; a hint", err) }
	for range 100 {
		one.fails(slog.New(slog.DiscardHandler), hint, slog.LevelWarn, "it fails",
			scriptError("NOAUTH x"))
	}
	if asked != 1 || one.last() == nil || !strings.HasSuffix(one.last().Error(), "; a hint") {
		t.Errorf("asked for %d hints, and it was %v", asked, one.last())
	}
}

// What servers repeat of a command that they do not know may be a password.
func TestArgumentsAreNotRepeated(t *testing.T) {
	err := scriptError("unknown command 'AUTH', with args beginning with: 'secret' ")
	if got := withoutArguments(err); got.Error() != "unknown command 'AUTH'" ||
		!errors.Is(got, err) {
		t.Errorf("found %v", got)
	}
}

// A trouble is logged when it begins, when its cause changes, and when it is over; what alternates
// is bounded.
func TestTroublesAreLogged(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	lines := func() int { return strings.Count(text.String(), "\n") }
	expired :=
		&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}
	foreign := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	var one trouble
	one.ends(log, "over")
	for k, err := range []error{io.EOF, expired, foreign, scriptError("WRONGPASS x")} {
		for range 100 {
			one.fails(log, asItIs, slog.LevelWarn, "it fails", err)
		}
		if lines() != k+1 || !strings.Contains(text.String(), err.Error()) {
			t.Fatalf("found %d lines after %d causes:\n%s", lines(), k+1, &text)
		}
	}
	for range 2 {
		one.ends(log, "over")
	}
	if lines() != 5 || one.last() != nil {
		t.Errorf("the end: %s", &text)
	}
	for k := range 1000 {
		one.fails(log, asItIs, slog.LevelWarn, "it fails", []error{foreign, expired}[k%2])
	}
	if n := lines() - 5; n == 0 || n > troubleLines {
		t.Errorf("found %d lines of causes that alternate", n)
	}
	// a server that refuses a certificate may be heard, or the connection is gone before
	var vague trouble
	before := lines()
	for k := range 1000 {
		vague.fails(log, asItIs, slog.LevelWarn, "it fails", []error{io.EOF, expired}[k%2])
	}
	if n := lines() - before; n != 2 || vague.last() == io.EOF {
		t.Errorf("found %d lines and %v of a cause that is heard at times", n, vague.last())
	}
}
