package load_test

import (
	"fmt"
	"os"
	"testing"

	"ssedge/bench/load"
)

// asWorker in the environment makes the test binary a worker process.
const asWorker = "TEST_AS_LOAD_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) == "" {
		os.Exit(m.Run())
	}
	if err := load.ServeWorker(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
