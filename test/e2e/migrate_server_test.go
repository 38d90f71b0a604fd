package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
)

// onlyTLS makes a server that is being initialised accept nothing but TLS over the network.
const onlyTLS = `printf "ssl = on\nssl_cert_file = '/etc/tls/server.crt'\nssl_key_file = '/etc/tls/server.key'\n" >>"$PGDATA/postgresql.conf"
sed -i 's/^host /hostssl /' "$PGDATA/pg_hba.conf"
`

// TestMigrateAwkwardServers migrates on a server that wants TLS, with a password that a URL has to quote, and is refused
// when the same server has become a standby.
func TestMigrateAwkwardServers(t *testing.T) {
	t.Parallel()
	const password, quoted = "100%/p@ss:word?#", "100%25%2Fp%40ss%3Aword%3F%23"
	name := createContainer(t, "postgres:17", 0, 5432, "POSTGRES_PASSWORD="+password, "POSTGRES_USER=sync")
	certificate, key := selfSigned(t)
	other, _ := selfSigned(t)
	intoContainer(t, name, map[string]string{
		"docker-entrypoint-initdb.d/tls.sh": onlyTLS, "etc/tls/server.crt": certificate, "etc/tls/server.key": key,
	})
	if _, err := docker.ContainerStart(t.Context(), name, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(openFolder(t), "root.crt")
	write(t, root, certificate)
	migrate := func(parameters string, args ...string) result {
		t.Helper()
		address, _ := addressesOf(t, name)
		url := "postgresql+asyncpg://sync:" + quoted + "@" + net.JoinHostPort(address, "5432") + "/sync?" + parameters
		ran := finish(t, program(append([]string{"migrate", args[0], "--database-url", url}, args[1:]...)...))
		for _, form := range []string{password, quoted} {
			if strings.Contains(ran.said(), form) {
				t.Errorf("the password is in the output:\n%s", ran.said())
			}
		}
		return ran
	}
	direct := func() string {
		address, _ := addressesOf(t, name)
		return "postgresql://sync:" + quoted + "@" + net.JoinHostPort(address, "5432") + "/sync?sslmode=require"
	}
	answers := func() error {
		conn, err := pgx.Connect(t.Context(), direct())
		if err != nil {
			return err
		}
		return conn.Close(t.Context())
	}
	eventually(t, answers)
	migrate("ssl=disable", "upgrade").is(t, 3).says(t, "add ?ssl=require", "Nothing was changed")
	migrate("", "upgrade", "0001").is(t, 0)
	migrate("ssl=require", "upgrade", "0011").is(t, 0)
	migrate("sslmode=verify-ca&sslrootcert="+root, "current").is(t, 0).says(t, "0011")
	migrate("sslmode=verify-full&sslrootcert="+root, "current").is(t, 3).says(t, "check sslmode and sslrootcert")
	write(t, root, other)
	migrate("sslmode=verify-ca&sslrootcert="+root, "current").is(t, 3).says(t, "check sslmode and sslrootcert")
	migrate("sslmode=verify-ca&sslrootcert=/nowhere", "current").is(t, 3).says(t, "/nowhere")

	query(t, direct(), "ALTER TABLE connection ALTER COLUMN type TYPE varchar(23)") // as 0.2.0 made it
	intoContainer(t, name, map[string]string{"var/lib/postgresql/data/standby.signal": ""})
	if _, err := docker.ContainerRestart(t.Context(), name, client.ContainerRestartOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, answers)
	migrate("ssl=require", "current").is(t, 0).says(t, "0011")
	migrate("ssl=require", "check").is(t, 1).says(t, "migrate repair")
	for _, args := range [][]string{{"upgrade"}, {"downgrade", "-1"}, {"downgrade", "--yes", "base"}, {"stamp", "0011"}, {"stamp", "--force", "0001"}, {"repair"}} {
		migrate("ssl=require", args...).is(t, 4).says(t, "standby", "give the address of the primary", "Nothing was changed")
	}
	migrate("ssl=require", "current").is(t, 0).says(t, "0011")
}

// selfSigned returns a certificate of a server with another name than tests reach it by, and its key.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"db.example.com"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

// intoContainer puts files, readable by the server's user only, into a container.
func intoContainer(t *testing.T, name string, files map[string]string) {
	t.Helper()
	const postgres = 999 // as in the official image
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for path, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o600, Uid: postgres, Gid: postgres, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := docker.CopyToContainer(t.Context(), name, client.CopyToContainerOptions{DestinationPath: "/", Content: &archive}); err != nil {
		t.Fatal(err)
	}
}
