"""The proxy does to packets what a scenario asks for. The nodes are sockets of
this process: a dials, b answers."""

import os
import socket
import time
import unittest

import proxy

PATIENCE = 10.0
# How long nothing is waited for where nothing must come. It can only hide a
# fault, not show one that is none.
NOTHING = 0.3


def _place(address):
  host, _, port = address.rpartition(":")
  return host, int(port)


class ProxyTest(unittest.TestCase):

  def setUp(self):
    self.net = proxy.Proxy()
    self.addCleanup(self.net.end)
    self.net.joined("a", os.getpid())
    self.net.open("a")
    self.net.open("b")
    self.server = self.socket()
    self.server.bind(_place(self.net.listen("b")))
    self.server.listen()
    self.beats = {}
    for node in "ab":
      self.beats[node] = self.socket(socket.SOCK_DGRAM)
      self.beats[node].bind(_place(self.net.listen(node)))

  def socket(self, kind=socket.SOCK_STREAM):
    sock = socket.socket(type=kind)
    self.addCleanup(sock.close)
    sock.settimeout(PATIENCE)
    return sock

  def dial(self):
    sock = self.socket()
    sock.connect(_place(self.net.address("b")))
    return sock

  def linked(self):
    """A connection from a to b, both ends of it."""
    near = self.dial()
    far, _ = self.server.accept()
    self.addCleanup(far.close)
    far.settimeout(PATIENCE)
    return near, far

  def says_nothing(self, sock):
    sock.settimeout(NOTHING)
    with self.assertRaises(TimeoutError):
      sock.recv(1)
    sock.settimeout(PATIENCE)

  def test_bytes_and_the_end_pass_both_ways(self):
    near, far = self.linked()
    near.sendall(b"hello")
    self.assertEqual(far.recv(9), b"hello")
    far.sendall(b"you")
    self.assertEqual(near.recv(9), b"you")
    near.shutdown(socket.SHUT_WR)
    self.assertEqual(far.recv(9), b"")
    far.sendall(b"still")
    self.assertEqual(near.recv(9), b"still")
    far.close()
    self.assertEqual(near.recv(9), b"")
    self.assertEqual(self.net.bytes_sent("a"), 5)

  def test_a_socket_is_found_however_the_kernel_is_asked(self):
    for family, host in ((socket.AF_INET, "127.0.0.1"),
                         (socket.AF_INET6, "::ffff:127.0.0.1")):
      with (socket.create_server(("127.0.0.1", 0)) as server,
            socket.socket(family) as near):
        near.connect((host, server.getsockname()[1]))
        far, _ = server.accept()
        with far:
          ends = far.getpeername(), far.getsockname()
          inode = os.fstat(near.fileno()).st_ino
          self.assertEqual(proxy.inode(*ends), inode)
          self.assertEqual(proxy.inode_from_tables(*ends), inode)
        gone = ends[0], ("127.0.0.1", 1)
        self.assertEqual(proxy.inode(*gone), 0)
        self.assertEqual(proxy.inode_from_tables(*gone), 0)

  def test_a_node_that_was_killed_refuses(self):
    self.net.close("b")
    with self.assertRaises(ConnectionRefusedError):
      self.dial()

  def test_a_node_that_does_not_listen_yet_resets(self):
    self.server.close()
    with self.assertRaises(ConnectionResetError):
      self.dial().recv(1)

  def test_what_meets_a_cut_comes_once_it_is_mended(self):
    near, far = self.linked()
    self.net.cut("a", "b")
    near.sendall(b"late")
    self.says_nothing(far)
    self.net.mend("a", "b")
    self.assertEqual(far.recv(9), b"late")

  def test_a_cut_one_way_lets_no_more_than_a_window_pass_the_other_way(self):
    near, far = self.linked()
    self.net.cut("a", "b")
    far.sendall(b"heard")
    self.assertEqual(near.recv(9), b"heard")
    far.setblocking(False)
    sent = 0
    try:
      while True:
        sent += far.send(bytes(65536))
    except BlockingIOError:
      pass
    got = 0
    near.settimeout(NOTHING)
    with self.assertRaises(TimeoutError):
      while got < sent:
        got += len(near.recv(65536))
    self.assertLess(got, 64 * 1024)

  def test_no_connection_is_opened_across_a_cut(self):
    self.net.cut("b", "a")
    self.dial()
    self.server.settimeout(NOTHING)
    with self.assertRaises(TimeoutError):
      self.server.accept()

  def test_a_reset_is_seen_by_who_sends_into_it(self):
    near, far = self.linked()
    self.net.cut("a", "b", reset=True)
    near.sendall(b"x")
    with self.assertRaises(ConnectionResetError):
      near.recv(1)
    self.says_nothing(far)
    with self.assertRaises(ConnectionResetError):
      self.dial().recv(1)
    self.net.heal()
    far.sendall(b"x")
    with self.assertRaises(ConnectionResetError):
      far.recv(1)

  def test_what_is_off_is_silent_and_what_it_had_is_reset_when_it_is_back(self):
    near, _ = self.linked()
    self.net.set_off("b", True)
    self.net.close("b")
    near.sendall(b"x")
    self.says_nothing(near)
    self.net.set_off("b", False)
    self.net.open("b")
    with self.assertRaises(ConnectionResetError):
      near.recv(1)

  def test_datagrams_come_from_where_their_sender_is_found(self):
    self.beats["a"].sendto(b"beat", _place(self.net.address("b")))
    data, source = self.beats["b"].recvfrom(99)
    self.assertEqual((data, source), (b"beat", _place(self.net.address("a"))))

  def test_datagrams_are_cut_and_lost(self):
    for begin in (lambda: self.net.cut("a", "b"),
                  lambda: self.net.lose("b", 1.0),
                  lambda: self.net.set_off("a", True)):
      begin()
      self.beats["a"].sendto(b"lost", _place(self.net.address("b")))
      self.says_nothing(self.beats["b"])
      self.net.reset()

  def test_delays_are_of_what_a_node_sends(self):
    near, far = self.linked()
    self.net.delay("a", 0.2, 0.1)
    began = time.monotonic()
    near.sendall(b"x")
    self.beats["a"].sendto(b"y", _place(self.net.address("b")))
    self.assertEqual(self.beats["b"].recv(9), b"y")
    self.assertGreaterEqual(time.monotonic() - began, 0.2)
    self.assertEqual(far.recv(9), b"x")
    self.assertGreaterEqual(time.monotonic() - began, 0.2)

  def test_a_slow_node_sends_slowly_past_a_burst(self):
    near, far = self.linked()
    self.net.slow("a", 800 * 1000)
    size = proxy.BURST + 20 * 1000
    began = time.monotonic()
    near.sendall(bytes(size))
    while size:
      size -= len(far.recv(65536))
    self.assertGreaterEqual(time.monotonic() - began, 0.19)


if __name__ == "__main__":
  unittest.main()
