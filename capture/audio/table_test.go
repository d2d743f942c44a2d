//go:build bench

package audio

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"
)

// TestTable prints what the jitter buffer adds, and what is heard of what the network does.
func TestTable(t *testing.T) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "jitter buffer\tadded delay\tat most\tconcealed\tmade of the next packet")
	for _, tr := range traces {
		synctest.Test(t, func(t *testing.T) {
			got := tr.measure(t)
			fmt.Fprintf(w, "%s\t%v\t%v\t%.1f %%\t%.1f %%\n", tr.name, got.mean.Round(time.Millisecond), got.worst.Round(time.Millisecond), 100*got.concealed, 100*got.recovered)
		})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}
