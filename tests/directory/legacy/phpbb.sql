-- The people of a phpBB 3.3 board, in its tables (columns that nobody asks for left out).
-- Every password is "correct horse".

CREATE TABLE phpbb_users (
  user_id int(10) unsigned NOT NULL AUTO_INCREMENT,
  user_type tinyint(2) NOT NULL DEFAULT 0, -- 0 normal, 1 inactive, 2 a bot, 3 founder
  group_id mediumint(8) unsigned NOT NULL DEFAULT 3,
  user_regdate int(11) unsigned NOT NULL DEFAULT 0,
  username varchar(255) NOT NULL DEFAULT '',
  username_clean varchar(255) NOT NULL DEFAULT '',
  user_password varchar(255) NOT NULL DEFAULT '',
  user_email varchar(100) NOT NULL DEFAULT '',
  PRIMARY KEY (user_id),
  UNIQUE KEY username_clean (username_clean),
  KEY user_email (user_email)
) CHARACTER SET utf8 COLLATE utf8_bin;

CREATE TABLE phpbb_groups (
  group_id mediumint(8) unsigned NOT NULL AUTO_INCREMENT,
  group_type tinyint(4) NOT NULL DEFAULT 1,
  group_name varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (group_id)
) CHARACTER SET utf8 COLLATE utf8_bin;

CREATE TABLE phpbb_user_group (
  group_id mediumint(8) unsigned NOT NULL DEFAULT 0,
  user_id int(10) unsigned NOT NULL DEFAULT 0,
  group_leader tinyint(1) unsigned NOT NULL DEFAULT 0,
  user_pending tinyint(1) unsigned NOT NULL DEFAULT 1,
  KEY group_id (group_id),
  KEY user_id (user_id)
) CHARACTER SET utf8 COLLATE utf8_bin;

INSERT INTO phpbb_groups (group_id, group_type, group_name) VALUES
  (1, 3, 'GUESTS'), (2, 3, 'REGISTERED'), (4, 3, 'GLOBAL_MODERATORS'), (5, 3, 'ADMINISTRATORS'),
  (6, 3, 'BOTS'), (8, 0, 'staff'), (9, 0, 'Hops, Malt and Yeast');

INSERT INTO phpbb_users
  (user_id, user_type, group_id, user_regdate, username, username_clean, user_password, user_email)
VALUES
  (1, 2, 1, 1750000000, 'Anonymous', 'anonymous', '', ''),
  (2, 3, 5, 1750000000, 'Joe', 'joe',
   '$2y$10$iUSNPaEQqFlu4JyB638vRe7ziWdNBgJWkdMYqQ7WelhO7tkAJUmrK', 'joe@example.com'),
  (3, 2, 6, 1750000000, 'Bing [Bot]', 'bing [bot]', '', ''),
  (48, 1, 2, 1760000000, 'Eve', 'eve',
   '$2y$10$iUSNPaEQqFlu4JyB638vRe7ziWdNBgJWkdMYqQ7WelhO7tkAJUmrK', 'eve@example.com'),
  (49, 0, 2, 1290000000, 'Änne', 'änne',
   '$H$93Vt4ri3qSSnd/PDHluqvvb.sf390F/', 'aenne@example.com');

INSERT INTO phpbb_user_group (group_id, user_id, group_leader, user_pending) VALUES
  (1, 1, 0, 0), (2, 2, 0, 0), (4, 2, 0, 0), (5, 2, 1, 0), (8, 2, 0, 0), (9, 2, 0, 0),
  (6, 3, 0, 0), (2, 48, 0, 0), (2, 49, 0, 0), (8, 49, 0, 1);
