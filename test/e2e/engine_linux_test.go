package e2e_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"syncmaster-setup/test/kit"
)

// privateEngine is a second Docker Engine, which a test may restart and kill. It has namespaces of its own for network,
// mounts and processes: what it does to packet filters stays there, and everything of it ends with their first process.
type privateEngine struct {
	t       *testing.T
	dir     string // of its data, its socket and its log
	first   int    // the first process of its namespaces
	network int    // file descriptor of its network
	daemon  *exec.Cmd
	client  *client.Client
}

// newPrivateEngine starts an engine that has images of the kit. It is gone at the end of the test.
func newPrivateEngine(t *testing.T, images ...string) *privateEngine {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "only root can start a second Docker Engine")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		cannot(t, "a second Docker Engine needs dockerd on this machine: ", err)
	}
	e := &privateEngine{t: t, dir: openFolder(t)}
	e.separate()
	write(t, e.path("daemon.json"), "{}") // not the one of this machine
	e.start()
	var err error
	if e.client, err = client.New(client.WithHost(e.host())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.client.Close() }) // its engine is gone
	e.answers()
	e.load(images)
	return e
}

func (e *privateEngine) path(name string) string { return filepath.Join(e.dir, name) }
func (e *privateEngine) host() string            { return "unix://" + e.path("docker.sock") }

// cgroup is the parent of its containers' control groups.
func (e *privateEngine) cgroup() string { return "/" + filepath.Base(e.dir) }

// separate makes the namespaces. Their first process reaps the others, since containerd is not started anew beside a dead
// one, and ends with its input: with this test, however that ends.
func (e *privateEngine) separate() {
	e.t.Helper()
	const script = `mount --make-rprivate /; mount -t proc proc /proc; ip link set lo up
		for dir in /run/docker /run/containerd; do [ ! -d $dir ] || mount -t tmpfs tmpfs $dir; done
		echo ready; cat; exit 0`
	cmd := exec.Command("sh", "-ec", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // nothing is written to it
		e.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		e.t.Fatal("making namespaces for a second Docker Engine: ", err)
	}
	e.first = cmd.Process.Pid
	e.t.Cleanup(func() {
		_ = cmd.Process.Kill() // all the others end with it
		_ = cmd.Wait()         // it was killed
		e.forgetCgroups()
	})
	if _, err := io.ReadFull(said, make([]byte, len("ready"))); err != nil {
		e.t.Fatal("preparing the namespaces of a second Docker Engine: ", err)
	}
	if e.network, err = unix.Open(e.networkPath(), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = unix.Close(e.network) }) // was only read
}

func (e *privateEngine) networkPath() string { return fmt.Sprintf("/proc/%d/ns/net", e.first) }

// forgetCgroups removes the empty control groups that its containers have left.
func (e *privateEngine) forgetCgroups() {
	for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup"} {
		parents, _ := filepath.Glob(pattern + e.cgroup()) // the pattern is a good one
		for _, parent := range parents {
			var groups []string
			_ = filepath.WalkDir(parent, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					groups = append(groups, path)
				}
				return nil
			})
			for _, group := range slices.Backward(groups) {
				_ = os.Remove(group) // one that is left is empty, and does no harm
			}
		}
	}
}

// inside returns a command that runs in the engine's namespaces, as they are named for nsenter.
func (e *privateEngine) inside(namespaces []string, words ...string) *exec.Cmd {
	args := append([]string{"--target", fmt.Sprint(e.first)}, namespaces...)
	return exec.Command("nsenter", append(append(args, "--"), words...)...)
}

// start starts the daemon, and does not wait until it answers.
func (e *privateEngine) start() {
	e.t.Helper()
	log, err := os.OpenFile(e.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the daemon has its own
	e.daemon = e.inside([]string{"--net", "--mount", "--pid"}, "dockerd", "--config-file", e.path("daemon.json"),
		"--data-root", e.path("data"), "--exec-root", e.path("exec"), "--pidfile", e.path("pid"), "--host", e.host(),
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", e.cgroup()) // the host's init does not know its processes
	e.daemon.Stdout, e.daemon.Stderr = log, log
	if err := e.daemon.Start(); err != nil {
		e.t.Fatal(err)
	}
}

// answers waits until the daemon does.
func (e *privateEngine) answers() {
	e.t.Helper()
	eventually(e.t, func() error {
		if _, err := e.client.Ping(e.t.Context(), client.PingOptions{NegotiateAPIVersion: true}); err != nil {
			log, _ := os.ReadFile(e.path("log")) // tells more where it is there
			return fmt.Errorf("the second Docker Engine: %w\n%s", err, log[max(0, len(log)-2000):])
		}
		return nil
	})
}

// stopLimit is how long the daemon may take to stop its containers. The host's init has one, too.
const stopLimit = 15 * time.Second

// forgetful makes bridges forget soon where an address was: a killed daemon leaves the interfaces of its containers to
// them, and older ones do not announce the new ones.
const forgetful = `for b in $(ip -o link show type bridge | cut -d: -f2); do ip link set dev $b type bridge ageing_time 100; done`

// end sends a signal to the daemon and waits until it has ended.
func (e *privateEngine) end(signal string) {
	e.t.Helper()
	finish(e.t, e.inside([]string{"--net"}, "sh", "-ec", forgetful)).is(e.t, 0)
	process := strings.TrimSpace(read(e.t, e.path("pid")))
	send := func(signal string) error {
		return e.inside([]string{"--pid", "--mount"}, "kill", "-"+signal, process).Run()
	}
	if err := send(signal); err != nil {
		e.t.Fatal("ending the second Docker Engine: ", err)
	}
	patience := time.AfterFunc(stopLimit, func() { _ = send("KILL") }) // it may just have ended
	_ = e.daemon.Wait()                                                // a signal may be its end
	patience.Stop()
}

// load copies images of the kit from the engine of this machine.
func (e *privateEngine) load(images []string) {
	e.t.Helper()
	var refs []string
	for _, image := range images {
		refs = append(refs, kit.Prefix+"/"+image)
	}
	saved, err := docker.ImageSave(e.t.Context(), refs)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = saved.Close() }() // it was read to its end
	loaded, err := e.client.ImageLoad(e.t.Context(), saved)
	if err != nil {
		e.t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, loaded)
	if _ = loaded.Close(); err != nil {
		e.t.Fatal(err)
	}
}

// publish lets the test reach a port that the engine publishes, by the same port of this machine.
func (e *privateEngine) publish(port int) {
	e.t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = listener.Close() }) // the test has ended
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := e.dial(address)
			if err != nil {
				_ = from.Close() // whoever has dialled sees that
				continue
			}
			couple(from, to)
		}
	}()
}

// dial connects to an address in the engine's network.
func (e *privateEngine) dial(address string) (conn net.Conn, err error) {
	dialled := make(chan struct{})
	go func() {
		defer close(dialled)
		runtime.LockOSThread() // for ever: the thread is in another network now, and ends with the goroutine
		if err = unix.Setns(e.network, unix.CLONE_NEWNET); err == nil {
			conn, err = (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
		}
	}()
	<-dialled
	return conn, err
}

// newStack returns a stack on the engine.
func (e *privateEngine) newStack() *stack {
	e.t.Helper()
	s := newStack(e.t)
	s.engine, s.restarts, s.env = e.client, true, []string{"DOCKER_HOST=" + e.host()}
	s.wrap = func(cmd *exec.Cmd) *exec.Cmd { // it reaches the published ports in the engine's network
		within := exec.Command("nsenter", append([]string{"--net=" + e.networkPath(), "--"}, cmd.Args...)...)
		within.Env, within.Dir = cmd.Env, cmd.Dir
		return within
	}
	for _, port := range []int{s.ports.server, s.ports.ui, s.ports.db, s.ports.broker} {
		e.publish(port)
	}
	return s
}
