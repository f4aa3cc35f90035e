/* The paper's scheme done right in C, for comparison: Bcast, Scatter, the seven loops, Gather.
 *
 * c_scheme BATCH CHANNELS OUT HEIGHT WIDTH KERNEL REPEATS: the root prints one line a timed repeat, seconds
 * from broadcast to gather, the slowest rank's, after one warm-up; then "check" with the largest error of a
 * few outputs, and "peak" with the root's resident peak in bytes. BATCH must divide by the number of ranks.
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static void convolve(const float *x, const float *w, float *y, int batch, int channels, int out, int height,
                     int width, int kernel)
{
    int rows = height - kernel + 1, columns = width - kernel + 1;
    for (int b = 0; b < batch; b++)
        for (int o = 0; o < out; o++)
            for (int h = 0; h < rows; h++)
                for (int v = 0; v < columns; v++) {
                    float sum = 0;
                    for (int c = 0; c < channels; c++)
                        for (int i = 0; i < kernel; i++)
                            for (int j = 0; j < kernel; j++)
                                sum += x[(((size_t)b * channels + c) * height + h + i) * width + v + j] *
                                       w[((o * channels + c) * kernel + i) * kernel + j];
                    y[(((size_t)b * out + o) * rows + h) * columns + v] = sum;
                }
}

static void *allocate(size_t bytes)
{
    float *memory = malloc(bytes);
    if (!memory) {
        fprintf(stderr, "c_scheme: no memory for %zu bytes\n", bytes);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    for (size_t i = 0; i < bytes / sizeof(float); i++) memory[i] = (float)(i * 2654435761u % 1000) / 1000;
    return memory;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    int n[7] = {0};
    for (int i = 0; i < 7 && i + 1 < argc; i++) n[i] = atoi(argv[i + 1]);
    int batch = n[0], channels = n[1], out = n[2], height = n[3], width = n[4], kernel = n[5], repeats = n[6];
    if (argc != 8 || repeats < 1 || batch < ranks || batch % ranks) {
        if (rank == 0) fprintf(stderr, "c_scheme: give 7 sizes, a batch that %d ranks divide\n", ranks);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    int rows = height - kernel + 1, columns = width - kernel + 1, local = batch / ranks;
    size_t x_image = (size_t)channels * height * width, y_image = (size_t)out * rows * columns;
    float *w = allocate(sizeof(float) * out * channels * kernel * kernel);
    float *x_local = allocate(sizeof(float) * local * x_image), *y_local = allocate(sizeof(float) * local * y_image);
    float *x = rank ? NULL : allocate(sizeof(float) * batch * x_image);
    float *y = rank ? NULL : allocate(sizeof(float) * batch * y_image);
    MPI_Datatype x_type, y_type; /* counts in images: a batch can have more than 2^31 elements */
    MPI_Type_contiguous((int)x_image, MPI_FLOAT, &x_type);
    MPI_Type_contiguous((int)y_image, MPI_FLOAT, &y_type);
    MPI_Type_commit(&x_type);
    MPI_Type_commit(&y_type);

    for (int repeat = -1; repeat < repeats; repeat++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double begun = MPI_Wtime(), spent, slowest;
        MPI_Bcast(w, out * channels * kernel * kernel, MPI_FLOAT, 0, MPI_COMM_WORLD);
        MPI_Scatter(x, local, x_type, x_local, local, x_type, 0, MPI_COMM_WORLD);
        convolve(x_local, w, y_local, local, channels, out, height, width, kernel);
        MPI_Gather(y_local, local, y_type, y, local, y_type, 0, MPI_COMM_WORLD);
        spent = MPI_Wtime() - begun;
        MPI_Reduce(&spent, &slowest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
        if (rank == 0 && repeat >= 0) printf("%.9f\n", slowest);
    }
    if (rank == 0) {
        double worst = 0;
        for (int spot = 0; spot < 64; spot++) {
            int b = spot * 31 % batch, o = spot % out, h = spot * 97 % rows, v = spot * 61 % columns;
            double sum = 0;
            for (int c = 0; c < channels; c++)
                for (int i = 0; i < kernel; i++)
                    for (int j = 0; j < kernel; j++)
                        sum += (double)x[(((size_t)b * channels + c) * height + h + i) * width + v + j] *
                               w[((o * channels + c) * kernel + i) * kernel + j];
            worst = fmax(worst, fabs(sum - y[(((size_t)b * out + o) * rows + h) * columns + v]));
        }
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        printf("check %.9g\npeak %ld\n", worst, usage.ru_maxrss * 1024L);
    }
    MPI_Finalize();
    return 0;
}
