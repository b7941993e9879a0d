-- Three films and where they are shown. Run it with: ./dev run < docs/examples.sql
-- The last statement is refused: there is no film 9.
CREATE TABLE movies (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE screenings (
  id INTEGER PRIMARY KEY,
  movie_id INTEGER NOT NULL REFERENCES movies (id),
  hall TEXT NOT NULL,
  sold INTEGER NOT NULL
);
INSERT INTO movies VALUES (1, 'Alien'), (2, 'Das Boot'), (3, 'Amélie');
INSERT INTO screenings VALUES (1, 1, 'main', 93), (2, 1, 'small', 60), (3, 3, 'main', 87);

SELECT title, count(s.id) AS shows, sum(sold) AS sold
FROM movies AS m LEFT JOIN screenings AS s ON s.movie_id = m.id
GROUP BY title
ORDER BY shows, sold DESC;

INSERT INTO screenings VALUES (4, 9, 'main', 1);
