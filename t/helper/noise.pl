#!/usr/bin/perl
# What other programs on a router do, over netlink:
#
#	noise.pl group ID PROTOCOL FIRST COUNT	a nexthop group of COUNT members,
#						FIRST and up: ip(8) can name
#						about 120
#	noise.pl nft		commit to nftables without a pause
#	noise.pl addr IFINDEX RATE	RATE changes a second to the addresses of
#					an interface
#
# The last two print a line when they have begun, and go on until they are
# killed.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC usleep);

my ($what, @args) = @ARGV;
my $bus = $what eq 'nft' ? 12 : 0;	# NETLINK_NETFILTER, NETLINK_ROUTE

socket(my $s, 16, 3, $bus) or die "socket: $!";

sub attr {
	my ($type, $value) = @_;
	my $a = pack('SS', 4 + length $value, $type) . $value;
	return $a . "\0" x (-length($a) % 4);
}

sub message {
	my ($type, $flags, $body) = @_;
	return pack('LSSLL', 16 + length $body, $type, $flags, 1, 0) . $body;
}

sub talk {
	my ($out) = @_;
	defined send($s, $out, 0) or die "send: $!";
	defined recv($s, my $in, 65536, 0) or die "recv: $!";
	return unpack('x16 l', $in);
}

if ($what eq 'group') {
	my ($id, $protocol, $first, $count) = @args;
	my $members = join '', map { pack('LCCS', $_, 0, 0, 0) }
		$first .. $first + $count - 1;
	# RTM_NEWNEXTHOP with REQUEST, ACK and CREATE; NHA_ID, NHA_GROUP.
	my $code = talk(message(104, 0x405, pack('CCCCL', 0, 0, $protocol, 0,
		0) . attr(1, pack('L', $id)) . attr(2, $members)));
	die "group: errno ", -$code if $code;
} elsif ($what eq 'nft') {
	my $on = 0;
	$| = 1;
	while (1) {
		$on = !$on;
		# NFT_MSG_NEWTABLE or DELTABLE in a batch, with an ACK.
		my $code = talk(message(16, 1, pack('CCn', 0, 0, 10)) .
			message(10 << 8 | ($on ? 0 : 2), $on ? 0x405 : 5,
			pack('CCn', 1, 0, 0) . attr(1, "noise\0")) .
			message(17, 1, pack('CCn', 0, 0, 10)));
		die "nft: errno ", -$code if $code;
		print "begun\n" if $on && !$_++;
	}
} elsif ($what eq 'addr') {
	my ($ifindex, $rate) = @args;
	my ($n, $start) = (0, clock_gettime(CLOCK_MONOTONIC));
	$| = 1;
	while (1) {
		# RTM_NEWADDR or RTM_DELADDR; IFA_LOCAL.
		my $code = talk(message(20 + $n % 2, $n % 2 ? 5 : 0x605,
			pack('CCCCL', 2, 32, 0, 0, $ifindex) .
			attr(2, pack('C4', 198, 51, 100, 1))));
		die "addr: errno ", -$code if $code;
		print "begun\n" if !$n++;
		my $early = $n / $rate -
			(clock_gettime(CLOCK_MONOTONIC) - $start);
		usleep($early * 1e6) if $early > 0;
	}
} else {
	die "usage: noise.pl group|nft|addr ...";
}
