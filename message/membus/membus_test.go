package membus_test

import (
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/membus"
	"github.com/mars-rec/mars/message/messagetest"
)

func TestBus(t *testing.T) {
	messagetest.TestBus(t, func(*testing.T) message.Bus { return membus.New() })
}
