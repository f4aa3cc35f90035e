/* Heat in a square plate, explicit Euler on n x n points, rows cut among the ranks: ./heat N STEPS
 *
 * Prints the size, the steps done, the heat left (which the edges can only take away) and the time of the steps.
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    long n = argc > 1 ? atol(argv[1]) : 1024, steps = argc > 2 ? atol(argv[2]) : 100;
    if (n < ranks || steps < 1) {
        if (rank == 0)
            fprintf(stderr, "heat: give N of at least the ranks, and at least one step\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    long first = n * rank / ranks, rows = n * (rank + 1) / ranks - first, width = n + 2;
    double *now = calloc((rows + 2) * width, sizeof *now), *next = calloc((rows + 2) * width, sizeof *next);
    if (!now || !next) {
        fprintf(stderr, "heat: rank %d has no memory for %ld rows\n", rank, rows);
        MPI_Abort(MPI_COMM_WORLD, 3);
    }
    for (long i = 1; i <= rows; i++) /* a warm disc in a cold plate */
        for (long j = 1; j <= n; j++)
            now[i * width + j] = hypot(first + i - n / 2.0, j - n / 2.0) < n / 4.0;
    int up = rank > 0 ? rank - 1 : MPI_PROC_NULL, down = rank < ranks - 1 ? rank + 1 : MPI_PROC_NULL;
    MPI_Barrier(MPI_COMM_WORLD);
    double begun = MPI_Wtime();
    for (long step = 0; step < steps; step++) {
        MPI_Sendrecv(now + width, width, MPI_DOUBLE, up, 0, now + (rows + 1) * width, width, MPI_DOUBLE, down, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Sendrecv(now + rows * width, width, MPI_DOUBLE, down, 1, now, width, MPI_DOUBLE, up, 1, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        for (long i = 1; i <= rows; i++)
            for (long j = 1; j <= n; j++) {
                const double *at = now + i * width + j;
                next[i * width + j] = *at + 0.2 * (at[-1] + at[1] + at[-width] + at[width] - 4.0 * *at);
            }
        double *swap = now;
        now = next;
        next = swap;
    }
    double mine = MPI_Wtime() - begun, elapsed, heat = 0.0, total;
    for (long i = 1; i <= rows; i++)
        for (long j = 1; j <= n; j++)
            heat += now[i * width + j];
    MPI_Reduce(&mine, &elapsed, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    MPI_Reduce(&heat, &total, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        printf("Size: %ld\nSteps: %ld\nHeat: %.6f\nElapsed: %.6f\n", n, steps, total / ((double)n * n), elapsed);
    }
    free(now);
    free(next);
    MPI_Finalize();
    return 0;
}
