-- The people of a small app on SQLite.

CREATE TABLE people (
  id INTEGER PRIMARY KEY,
  login TEXT NOT NULL UNIQUE COLLATE NOCASE,
  full_name TEXT,
  mail TEXT,
  hash TEXT,
  banned INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE roles (person INTEGER NOT NULL REFERENCES people, role TEXT NOT NULL);

INSERT INTO people (id, login, full_name, mail, hash, banned) VALUES
  (2, 'Joe', 'Joe Doe', 'joe@example.com',
   '$2y$10$iUSNPaEQqFlu4JyB638vRe7ziWdNBgJWkdMYqQ7WelhO7tkAJUmrK', 0),
  (48, 'Eve', NULL, 'eve@example.com', '!', 1),
  (49, 'Änne', NULL, NULL, NULL, 0);

INSERT INTO roles (person, role) VALUES (2, 'staff'), (2, 'members'), (48, 'staff');
