-- The people of a MediaWiki 1.39 on PostgreSQL, in its tables (columns that nobody asks for left
-- out). Every password is "correct horse".

CREATE SEQUENCE user_user_id_seq MINVALUE 0 START WITH 0;
CREATE TABLE mwuser ( -- "user" is a reserved word
  user_id INTEGER NOT NULL PRIMARY KEY DEFAULT nextval('user_user_id_seq'),
  user_name TEXT NOT NULL UNIQUE,
  user_real_name TEXT DEFAULT '' NOT NULL,
  user_password TEXT NOT NULL,
  user_newpassword TEXT NOT NULL,
  user_email TEXT NOT NULL,
  user_touched TIMESTAMPTZ NOT NULL,
  user_token TEXT DEFAULT '' NOT NULL,
  user_email_authenticated TIMESTAMPTZ DEFAULT NULL,
  user_registration TIMESTAMPTZ DEFAULT NULL
);

CREATE TABLE user_groups (
  ug_user INTEGER DEFAULT 0 NOT NULL,
  ug_group TEXT DEFAULT '' NOT NULL,
  ug_expiry TIMESTAMPTZ DEFAULT NULL,
  PRIMARY KEY (ug_user, ug_group)
);

CREATE TABLE ipblocks (
  ipb_id INTEGER NOT NULL PRIMARY KEY,
  ipb_address TEXT NOT NULL,
  ipb_user INTEGER DEFAULT 0 NOT NULL,
  ipb_by_actor INTEGER NOT NULL,
  ipb_timestamp TIMESTAMPTZ NOT NULL,
  ipb_expiry TIMESTAMPTZ NOT NULL,
  ipb_sitewide SMALLINT DEFAULT 1 NOT NULL
);

INSERT INTO mwuser
  (user_id, user_name, user_real_name, user_password, user_newpassword, user_email, user_touched)
VALUES
  (0, 'Anonymous', '', '', '', '', now()),
  (2, 'Joe', 'Joe Doe',
   ':pbkdf2:sha512:30000:64:ABEiM0RVZneImaq7zN3u/w==:0gw6MoV9mYz9GuWuayPcqsmZChwdHD5LH8Gdjqdw1o09k7uorC72x0gZbpo1VqUAPOSpPZPjBrDzEUv9hpBMdw==',
   '', 'joe@example.com', now()),
  (48, 'Eve', '',
   ':pbkdf2:sha512:30000:64:ABEiM0RVZneImaq7zN3u/w==:0gw6MoV9mYz9GuWuayPcqsmZChwdHD5LH8Gdjqdw1o09k7uorC72x0gZbpo1VqUAPOSpPZPjBrDzEUv9hpBMdw==',
   '', 'eve@example.com', now()),
  (49, 'Änne', 'Änne Muster', '', '', '', now());

INSERT INTO user_groups (ug_user, ug_group, ug_expiry) VALUES
  (2, 'staff', NULL), (2, 'sysop', NULL), (2, 'bureaucrat', '2020-01-01 00:00:00+00'),
  (48, 'staff', NULL);

INSERT INTO ipblocks
  (ipb_id, ipb_address, ipb_user, ipb_by_actor, ipb_timestamp, ipb_expiry, ipb_sitewide)
VALUES
  (1, 'Eve', 48, 1, now(), 'infinity', 1), (2, 'Joe', 2, 1, now(), 'infinity', 0),
  (3, 'Joe', 2, 1, '2020-01-01 00:00:00+00', '2020-01-02 00:00:00+00', 1);
